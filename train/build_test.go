package train

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"runtime/debug"
	"testing"
)

// A record names the source exactly: by a commit alone only where that is all that was compiled.
func TestCommitOf(t *testing.T) {
	const archive = "0123456789abcdef0123456789abcdef01234567\n"
	vcs := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "vcs.revision", Value: "fedcba9876543210"}, {Key: "vcs.modified", Value: modified}}
	}
	for _, c := range []struct {
		name, stamp, archived string
		settings              []debug.BuildSetting
		want                  string
	}{
		{"checkout by make", "aaaaaaaaaaaa", "$Format:%H$\n", nil, "aaaaaaaaaaaa"},
		{"changed checkout by make", "aaaaaaaaaaaa+", "$Format:%H$\n", nil, "aaaaaaaaaaaa+HASH"},
		{"checkout by go build", "", "$Format:%H$\n", vcs("false"), "fedcba987654"},
		{"changed checkout by go build", "", "$Format:%H$\n", vcs("true"), "fedcba987654+HASH"},
		{"archive", "", archive, nil, "0123456789ab+HASH"},
		{"archive inside another repository", "", archive, vcs("false"), "0123456789ab+HASH"},
		{"copy of the files", "", "$Format:%H$\n", nil, "unknown+HASH"},
	} {
		if got := commitOf(c.stamp, c.archived, c.settings, func() string { return "HASH" }); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestProgramHash(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(program)
	if got, want := programHash(), hex.EncodeToString(sum[:])[:12]; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
