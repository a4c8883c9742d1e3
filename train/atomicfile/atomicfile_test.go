package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWriteReplacesTheWholeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, content := range []string{"first, and longer", "second"} {
		if err := WriteBytes(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != content {
			t.Fatalf("read %q, %v, want %q", got, err, content)
		}
	}
}

func TestFailedWriteLeavesTheOldFileAndNothingElse(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	if err := WriteBytes(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := Write(path, func(w io.Writer) error {
		if _, err := io.WriteString(w, "new"); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatalf("error %v, want that of the writer", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
		t.Errorf("the file holds %q, %v", got, err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files in the folder, %v, want the old one alone", len(entries), err)
	}
}

func TestWriteIntoAMissingFolderFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "file")
	if err := WriteBytes(path, nil); !errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), ".file-") || !strings.HasPrefix(err.Error(), "write "+path+": ") {
		t.Errorf("error %v", err)
	}
}

// A process that was killed leaves its temporary file, which alone is swept.
func TestSweep(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "epochs.jsonl")
	_ = Write(path, func(io.Writer) error {
		left, err := filepath.Glob(filepath.Join(folder, ".*"))
		if err != nil || len(left) != 1 {
			t.Fatalf("while a file is written there are %q, %v", left, err)
		}
		return os.Link(left[0], filepath.Join(folder, ".ttest-a.csv-791051156")) // as after a kill
	})
	keep := []string{
		"epochs.jsonl", "epochs.jsonl-1", ".epochs.jsonl", ".epochs.jsonl-", ".epochs.jsonl-1a", ".epochs.jsonl-01",
		".epochs.jsonl-4294967296", ".notes-2024", ".lock", ".epochs.jsonl-backup",
	}
	for _, name := range append([]string{".epochs.jsonl-791051156", ".epochs.jsonl-0"}, keep...) {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(folder, ".epochs.jsonl-7"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Sweep(folder, "epochs.jsonl", "ttest-*.csv"); err != nil {
		t.Fatal(err)
	}
	var got []string
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	want := append(keep, ".epochs.jsonl-7")
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("left are\n%q, want\n%q", got, want)
	}
	if err := Sweep(filepath.Join(folder, "missing"), "*"); err != nil {
		t.Error(err)
	}
}

func TestLinksAreFollowed(t *testing.T) {
	folder := t.TempDir()
	join := func(names ...string) string { return filepath.Join(append([]string{folder}, names...)...) }
	for link, to := range map[string]string{"link": "folder", "page": join("folder", "index.html"), "dangling": "nowhere"} {
		if err := os.Symlink(to, join(link)); err != nil {
			t.Skip(err)
		}
	}
	if err := MakeFolder(join("folder")); err != nil {
		t.Fatal(err)
	}
	if err := WriteBytes(join("folder", "index.html"), []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(MakeFolder(join("link")), MakeFolder(join("link", "sub")), WriteBytes(join("page"), []byte("new"))); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(join("folder", "index.html")); err != nil || string(content) != "new" {
		t.Errorf("the file that the link leads to holds %q, %v", content, err)
	}
	for _, err := range []error{MakeFolder(join("dangling")), MakeFolder(join("dangling", "sub")), WriteBytes(join("dangling"), nil)} {
		if err == nil || !strings.Contains(err.Error(), "dangling is a symbolic link to nowhere, which does not exist") {
			t.Errorf("a link that leads nowhere: %v", err)
		}
	}
}
