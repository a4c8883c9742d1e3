package record

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// withLedger is the folder of a study whose ledger has its plan and its runs.
func withLedger(t *testing.T) (folder string) {
	t.Helper()
	folder = writeStudy(t)
	ledger, err := OpenLedger(folder)
	if err != nil {
		t.Fatal(err)
	}
	jobs := []Job{configOf("sgd:lr=0.10,momentum=0", 3).Job, configOf("adamw", 3).Job}
	_, err = ledger.Plan(jobs, nil, Build{})
	if err := errors.Join(err, ledger.Reconcile(nil), ledger.Close()); err != nil {
		t.Fatal(err)
	}
	return folder
}

// A plan's files that were changed after the study's command are told, where a ledger has them.
func TestChangedPlanIsTold(t *testing.T) {
	folder := withLedger(t)
	if got := mustRead(t, folder)[0].Ledger; got != nil {
		t.Errorf("an unchanged study: %v", got)
	}
	edit(t, filepath.Join(folder, StudyFile), func(content []byte) []byte { return append(content, '\n') })
	if got := mustRead(t, folder)[0].Ledger.Error(); !strings.Contains(got, filepath.Join(folder, StudyFile)+" is not of any plan in the ledger: it was changed") {
		t.Errorf("a changed study.json: %q", got)
	}
}

// plan.json is made before the first run, and once: one that came or was changed later is told,
// also after a command that found it so. Before the first run another may take its place.
func TestPlanOfTheFirstRun(t *testing.T) {
	plan := Plan{Datasets: []string{"digits"}, Optimizers: []string{"a", "b"}, Seeds: []int{3}, Settings: map[string]string{},
		Build: Build{"c", "g", "p"}, Test: PlannedTest}
	for _, c := range []struct {
		name        string
		before      [2]string // metrics of the plans of two commands before the first run, "" for none
		after, want string    // metric of a third after it, and what is told; "" for nothing
	}{
		{"one plan", [2]string{"f1", "f1"}, "f1", ""},
		{"another before the first run", [2]string{"f1", "val_acc"}, "val_acc", ""},
		{"changed after it", [2]string{"f1", "f1"}, "val_acc", "plan.json is not the plan that the first run was made under"},
		{"back to one before", [2]string{"f1", "val_acc"}, "f1", "plan.json is not the plan that the first run was made under"},
		{"made after it", [2]string{}, "f1", "plan.json is not the plan that the first run was made under"},
	} {
		folder := writeStudy(t)
		var digest string
		command := func(metric string) *Ledger {
			ledger, err := OpenLedger(folder)
			if err == nil && metric != "" {
				plan.Metric = metric
				err = plan.Write(filepath.Join(folder, PlanFile))
			}
			if err == nil {
				digest, err = ledger.Plan([]Job{configOf("sgd:lr=0.10,momentum=0", 3).Job, configOf("adamw", 3).Job}, nil, Build{})
			}
			if err != nil {
				t.Fatal(err)
			}
			return ledger
		}
		first := command(c.before[0])
		second := command(c.before[1])
		want := digest
		if err := errors.Join(first.Close(), second.Reconcile(nil), second.Close(), command(c.after).Close()); err != nil {
			t.Fatal(err)
		}
		got := mustRead(t, folder)[0]
		if told := got.Ledger.Error(); (told == "") != (c.want == "") || !strings.Contains(told, c.want) {
			t.Errorf("%s: %q, want %q", c.name, told, c.want)
		}
		if got.Planned == nil || got.Planned.Plan != want {
			t.Errorf("%s: the plan of the first run is %+v, want %s", c.name, got.Planned, want)
		}
	}
}

// Line ends that git changed are told as the cause.
func TestLineEndsOfWindows(t *testing.T) {
	folder := withLedger(t)
	const run = "digits/adamw/seed-03/"
	edit(t, filepath.Join(folder, run, configFile), func(content []byte) []byte { return bytes.ReplaceAll(content, []byte("\n"), []byte("\r\n")) })
	if got := mustRead(t, folder)[0].Ledger.Error(); !strings.Contains(got, "line ends were changed to those of Windows, as git does with core.autocrlf ("+run+configFile+")") {
		t.Errorf("%q", got)
	}
}

// A copy of a study inside it is no part of it.
func TestStudyInsideAnother(t *testing.T) {
	folder := writeStudy(t)
	if err := os.CopyFS(filepath.Join(folder, "old", "digits"), os.DirFS(filepath.Join(folder, "digits"))); err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(folder, "old") + " is another study inside the study " + folder
	_, err := Read(folder)
	for what, got := range map[string]error{"Read": err, "CheckStudy": CheckStudy(os.DirFS(folder), folder)} {
		if got == nil || strings.Count(got.Error(), want) != 1 {
			t.Errorf("%s: %v, want %q once", what, got, want)
		}
	}
}

// What is wrong is named below the folder that was asked for.
func TestPlacesAreBelowWhatWasNamed(t *testing.T) {
	study := writeStudy(t)
	t.Chdir(filepath.Dir(study))
	name := filepath.Base(study)
	for _, folder := range []string{name, filepath.Join(name, "digits")} {
		if err := os.WriteFile(filepath.Join(folder, finalFile), []byte("{"), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Read(folder)
		if want := filepath.Join(folder, configFile) + " is missing"; err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "..") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A folder with the name of a file is told as what it is, with its whole path.
func TestFolderInPlaceOfAFile(t *testing.T) {
	for _, name := range []string{StudyFile, PlanFile, TunedFile, "digits/adamw/seed-03/" + finalFile, "digits/adamw/seed-03/" + epochsFile, "digits/adamw/seed-03/" + configFile} {
		folder := withLedger(t)
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := errors.Join(os.RemoveAll(path), os.Mkdir(path, 0o755)); err != nil {
			t.Fatal(err)
		}
		got := CheckStudy(os.DirFS(folder), folder)
		if want := path + " cannot be read: it is a folder"; len(got) != 1 || !strings.Contains(got.Error(), want) {
			t.Errorf("%s: %v, want %q", name, got, want)
		}
	}
}

// A check ends with its context.
func TestCheckStops(t *testing.T) {
	folder := withLedger(t)
	ctx, stop := context.WithCancel(context.Background())
	files := stopping{inMemory(t, folder), stop, "digits/adamw/seed-03/" + finalFile}
	if _, wrong, err := CheckStudyContext(ctx, files, folder); !errors.Is(err, context.Canceled) || wrong != nil {
		t.Errorf("%v, %v; want the context's error", wrong, err)
	}
}

// stopping ends a context when a file is opened.
type stopping struct {
	fstest.MapFS
	stop func()
	at   string
}

func (s stopping) Open(name string) (fs.File, error) {
	if name == s.at {
		s.stop()
	}
	return s.MapFS.Open(name)
}

// An archive that lies about a member's size is refused.
func TestArchiveLiesAboutSize(t *testing.T) {
	var file bytes.Buffer
	archive := zip.NewWriter(&file)
	member, err := archive.Create("digits/adamw/seed-00/final.json")
	if err != nil {
		t.Fatal(err)
	}
	const size = largest + 5<<20
	if _, err := member.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	declared := binary.LittleEndian.AppendUint32(nil, size)
	content := bytes.ReplaceAll(file.Bytes(), declared, binary.LittleEndian.AppendUint32(nil, 100))
	path := filepath.Join(t.TempDir(), "liar.zip")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "final.json cannot be read: the archive is damaged here") {
		t.Errorf("%v", err)
	}
}
