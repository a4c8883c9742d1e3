package record

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// An archive has what its folder has, and none of the other files in it.
func TestArchive(t *testing.T) {
	folder := withLedger(t)
	archive := filepath.Join(t.TempDir(), "study.zip")
	others := []string{"index.html", "notes/config.json", "trials/adamw/digits/adamw/seed-03/epochs.jsonl", RunOf("", configOf("adamw", 3).Job).path(checkpointFile)}
	for _, name := range others {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte("other"), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	if err := Archive(t.Context(), folder, archive); err != nil {
		t.Fatal(err)
	}
	want, got := mustRead(t, folder), mustRead(t, archive)
	if len(want[0].Runs) == 0 || want[0].Planned == nil {
		t.Fatal("the study lacks what is to be archived")
	}
	for i := range want {
		got[i].Folder = want[i].Folder
		for j := range want[i].Runs {
			if !strings.HasPrefix(got[i].Runs[j].Source, archive) {
				t.Errorf("run from %s", got[i].Runs[j].Source)
			}
			got[i].Runs[j].Source = want[i].Runs[j].Source
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the archive has %+v, its folder %+v", got, want)
	}
	first, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range others {
		if bytes.Contains(first, []byte(filepath.ToSlash(name))) {
			t.Errorf("%s is in the archive", name)
		}
	}
	if err := Archive(t.Context(), folder, archive); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(archive); err != nil || !bytes.Equal(again, first) {
		t.Errorf("a second archive differs: %v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := Archive(stopped, folder, archive); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
	if again, err := os.ReadFile(archive); err != nil || !bytes.Equal(again, first) {
		t.Errorf("a stopped archive replaced the last one: %v", err)
	}
}

// Of records that change while they are read no archive is made: the ledger has an end of a run whose
// record was not there yet, or a run has ended since.
func TestArchiveOfAStudyAtWork(t *testing.T) {
	folder := withLedger(t)
	files, before := inMemory(t, folder), mustRead(t, folder)[0]
	if _, err := archived(t.Context(), files, folder, before); err != nil {
		t.Fatal(err)
	}
	final, err := filepath.Rel(folder, RunOf(folder, configOf("adamw", 3).Job).path(finalFile))
	if err != nil {
		t.Fatal(err)
	}
	delete(files, filepath.ToSlash(final))
	if _, err := archived(t.Context(), files, folder, before); err == nil || !strings.Contains(err.Error(), "changed while they were read") {
		t.Errorf("error %v", err)
	}
}

// What is no whole study, or is damaged, is refused, and leaves no file.
func TestArchiveRefuses(t *testing.T) {
	archive := filepath.Join(t.TempDir(), "study.zip")
	damaged := writeStudy(t)
	edit(t, RunOf(damaged, configOf("adamw", 3).Job).path(finalFile), func(content []byte) []byte { return content[:9] })
	for folder, want := range map[string]string{
		filepath.Join(writeStudy(t), "digits"): "an archive is of one whole study",
		t.TempDir():                            "an archive is of one whole study",
		damaged:                                finalFile,
	} {
		if err := Archive(t.Context(), folder, archive); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", folder, err)
		}
		if _, err := os.Stat(archive); err == nil {
			t.Fatalf("%s: an archive is there", folder)
		}
	}
}
