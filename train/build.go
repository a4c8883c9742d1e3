package train

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// Version is the release that the source is of or, between two releases, comes after.
func Version() string { return strings.TrimSpace(version) }

//go:embed VERSION
var version string

// stamp is the source commit that the Makefile sets at link time, with a "+" behind it
// where the checkout was changed.
var stamp string

// archived is the commit that `git archive` writes into a source archive.
//
//go:embed commit.txt
var archived string

// Build identifies the program that made a record, as far as results depend on it.
type Build struct {
	// Commit has 12 digits of the source's commit, or "unknown". If the commit does not
	// identify the source, "+" and the first 12 digits of the program file's SHA-256 follow.
	// That is so for a changed checkout, a source archive and an unknown commit.
	Commit   string `json:"commit"`
	Go       string `json:"go"`       // compiler
	Platform string `json:"platform"` // operating system and processor
}

// String returns the build as text for a person.
func (b Build) String() string { return b.Commit + " " + b.Go + " " + b.Platform }

// ThisBuild describes the running program.
func ThisBuild() Build {
	return Build{Commit: thisCommit(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
}

var thisCommit = sync.OnceValue(func() string {
	var settings []debug.BuildSetting
	if info, ok := debug.ReadBuildInfo(); ok {
		settings = info.Settings
	}
	return commitOf(stamp, archived, settings, programHash)
})

// commitOf is Build.Commit from what is known of the source.
func commitOf(stamp, archived string, settings []debug.BuildSetting, hash func() string) string {
	commit := stamp
	if commit == "" && regexp.MustCompile(`^[0-9a-f]{40}\s*$`).MatchString(archived) {
		commit = archived[:12] + "+"
	}
	// Inside another repository Go finds that one's commit: the archive's own comes first.
	if commit == "" {
		commit = vcsCommit(settings)
	}
	if commit == "" {
		commit = "unknown+"
	}
	if strings.HasSuffix(commit, "+") {
		commit += hash()
	}
	return commit
}

// vcsCommit is the commit that `go build` itself found, in the form of stamp.
func vcsCommit(settings []debug.BuildSetting) string {
	commit, changed := "", ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+"
		}
	}
	if commit == "" {
		return ""
	}
	return commit + changed
}

// programHash names the running program by its content. A program that it cannot read
// gets a name that no other has.
func programHash() string {
	hash := sha256.New()
	if err := copyProgram(hash); err != nil {
		fmt.Fprintln(hash, err, os.Getpid(), time.Now().UnixNano())
	}
	return hex.EncodeToString(hash.Sum(nil))[:12]
}

// copyProgram writes the running program's file to w.
func copyProgram(w io.Writer) error {
	// On Linux this is what runs, even if a build has replaced the file since.
	file, err := os.Open("/proc/self/exe")
	if err != nil {
		path, err := os.Executable()
		if err != nil {
			return err
		}
		if file, err = os.Open(path); err != nil {
			return err
		}
	}
	defer file.Close()
	_, err = io.Copy(w, file)
	return err
}
