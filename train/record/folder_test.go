package record

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// link makes a symbolic link.
func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Skip(err)
	}
}

// move moves a folder and leaves a link in its place.
func move(t *testing.T, folder, to string) {
	t.Helper()
	if err := os.Rename(folder, to); err != nil {
		t.Fatal(err)
	}
	link(t, to, folder)
}

// The folder that is read, and any below it, may be a link.
func TestReadFollowsLinks(t *testing.T) {
	for name, arrange := range map[string]func(folder, elsewhere string) (read string){
		"the study": func(folder, elsewhere string) string {
			link(t, folder, filepath.Join(elsewhere, "link"))
			return filepath.Join(elsewhere, "link")
		},
		"a dataset": func(folder, elsewhere string) string {
			move(t, filepath.Join(folder, "digits"), filepath.Join(elsewhere, "moved"))
			return folder
		},
		"a run, and its optimizer": func(folder, elsewhere string) string {
			move(t, filepath.Join(folder, "digits", "adamw", "seed-03"), filepath.Join(elsewhere, "run"))
			move(t, filepath.Join(folder, "digits", "adamw"), filepath.Join(elsewhere, "optimizer"))
			return folder
		},
		"all, from within": func(folder, elsewhere string) string {
			move(t, filepath.Join(folder, "digits"), filepath.Join(elsewhere, "moved"))
			return filepath.Join(folder, "digits")
		},
		"a second way, and a loop": func(folder, elsewhere string) string {
			link(t, "digits", filepath.Join(folder, "again"))
			link(t, "..", filepath.Join(folder, "digits", "loop"))
			link(t, elsewhere, filepath.Join(folder, "elsewhere"))
			link(t, folder, filepath.Join(elsewhere, "back"))
			link(t, "gone", filepath.Join(folder, ".#report.md")) // as an editor locks a file
			return folder
		},
		"above the study": func(folder, elsewhere string) string {
			link(t, folder, filepath.Join(elsewhere, "latest"))
			return elsewhere
		},
		"a part of the study": func(folder, elsewhere string) string {
			link(t, filepath.Join(folder, "digits"), filepath.Join(elsewhere, "link"))
			return filepath.Join(elsewhere, "link")
		},
	} {
		t.Run(name, func(t *testing.T) {
			studies := mustRead(t, arrange(writeStudy(t), t.TempDir()))
			if len(studies) != 1 || len(studies[0].Runs) != 2 || len(studies[0].Jobs) != 2 {
				t.Errorf("want one study of two runs, got %+v", studies)
			}
		})
	}
	folder := writeStudy(t)
	link(t, "loop", filepath.Join(folder, "loop"))
	if studies := mustRead(t, folder); len(studies) != 1 || strings.Count(studies[0].Ledger.Error(), filepath.Join(folder, "loop")+" is a symbolic link that leads back to itself") != 1 {
		t.Errorf("a link to itself: %+v", studies)
	}
	link(t, "nowhere", filepath.Join(folder, "digits", "sgd"))
	if _, err := Read(folder); err == nil || !strings.Contains(err.Error(), "sgd is a symbolic link to nowhere, which does not exist") {
		t.Errorf("a link that leads nowhere: %v", err)
	}
}

// A spec of many keys makes a name that every file system takes, and no two specs share one.
func TestLongNames(t *testing.T) {
	study := t.TempDir()
	long := "diaghess:" + strings.Repeat("weight-decay=0.0003,", 20) + "lr="
	one, two := Job{Dataset: "digits", Optimizer: long + "1"}, Job{Dataset: "digits", Optimizer: long + "2"}
	name := func(j Job) string { return filepath.Base(filepath.Dir(RunOf(study, j).Folder)) }
	if len(name(one)) > 100 || name(one) == name(two) || !strings.HasPrefix(name(one), "diaghess_weight-decay=0.0003_") {
		t.Errorf("names %q and %q", name(one), name(two))
	}
	config := configOf(long+"1", 0)
	config.Job.Optimizer = one.Optimizer
	mustClaim(t, RunOf(study, one), config)
	if c, _, err := RunOf(study, one).Config(); err != nil || c.Optimizer != one.Optimizer {
		t.Errorf("config.json has %q, %v", c.Optimizer, err)
	}
	// A name that is long and valid is one of a version that did not shorten it.
	old := Job{Dataset: "digits", Optimizer: "sgd:" + strings.Repeat("x", 140)}
	shortened := name(old)
	if err := os.MkdirAll(filepath.Join(study, "digits", plainName(old.Optimizer)), 0o755); err != nil {
		t.Fatal(err)
	}
	if shortened == plainName(old.Optimizer) || name(old) != plainName(old.Optimizer) {
		t.Errorf("%q is there and the name is %q, before it was %q", plainName(old.Optimizer), name(old), shortened)
	}
	if shortName := "adamw:lr=0.1"; folderName(shortName) != "adamw_lr=0.1" {
		t.Errorf("name %q", folderName(shortName))
	}
}

func TestCheckFolder(t *testing.T) {
	study := writeStudy(t)
	put := func(folder string, names ...string) string {
		for _, name := range names {
			path := filepath.Join(folder, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("mine"), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		return folder
	}
	damaged, deep := writeStudy(t), t.TempDir()
	put(damaged, StudyFile, "index.html", "metrics.csv")
	move(t, writeStudy(t), filepath.Join(deep, "a"))
	planned := t.TempDir()
	plan := Plan{Datasets: []string{"digits"}, Optimizers: []string{"a", "b"}, Seeds: []int{1}, Settings: map[string]string{}, Build: Build{"c", "g", "p"}, Metric: DefaultMetric, Test: PlannedTest}
	if err := plan.Write(filepath.Join(planned, PlanFile)); err != nil {
		t.Fatal(err)
	}
	links := t.TempDir()
	link(t, study, filepath.Join(links, "in"))
	link(t, t.TempDir(), filepath.Join(study, "out"))
	for _, c := range []struct {
		name, folder string
		force        bool
		says         []string // nil for no error
	}{
		{"new", filepath.Join(t.TempDir(), "a", "b"), false, nil},
		{"other files", put(t.TempDir(), "notes.txt", "figures/index.html", "mystudy.json"), false, nil},
		{"its own", study, false, nil},
		{"its own, damaged", damaged, false, nil},
		{"a plan", planned, false, nil},
		{"beside a plan", filepath.Join(planned, "study"), false, nil},
		{"another's page", put(t.TempDir(), "index.html", "ttest-a.csv"), false, []string{"index.html, ttest-a.csv", "--out", "--force"}},
		{"another's page, forced", put(t.TempDir(), "index.html"), true, nil},
		{"another's study.json", put(t.TempDir(), StudyFile), false, []string{StudyFile}},
		{"inside", filepath.Join(study, "new"), false, []string{filepath.Join(study, "new") + " is inside the study " + study}},
		{"inside, forced", filepath.Join(study, "digits", "adamw"), true, []string{"is inside the study " + study}},
		{"inside a damaged one", filepath.Join(damaged, "x"), false, []string{"is inside the study " + damaged}},
		{"inside by a link", filepath.Join(links, "in", "new", "a"), false, []string{"is inside the study " + filepath.Join(links, "in")}},
		{"inside, in a link", filepath.Join(study, "out"), false, []string{"is inside the study " + study}},
		{"around by a link", links, false, []string{links + " holds another study, " + filepath.Join(links, "in")}},
		{"around", filepath.Dir(study), true, []string{"holds another study"}},
		{"around a link", deep, false, []string{deep + " holds another study, " + filepath.Join(deep, "a")}},
	} {
		err := CheckFolder(t.Context(), c.folder, c.force)
		if (err == nil) != (c.says == nil) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, says := range c.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %q is missing in: %v", c.name, says, err)
			}
		}
	}
}

// What a killed process left is swept, also beside a run that has ended.
func TestSweep(t *testing.T) {
	study := writeStudy(t)
	run := filepath.Join(study, "digits", "adamw", "seed-03")
	litter := []string{
		filepath.Join(run, ".epochs.jsonl-791051156"), filepath.Join(run, ".checkpoint-1"),
		filepath.Join(study, ".study.json-2"), filepath.Join(study, ".index.html-3"),
		filepath.Join(run, "checkpoint"), // its final.json is there
	}
	begun := filepath.Join(study, "digits", "adamw", "seed-04")
	if err := os.Mkdir(begun, 0o755); err != nil {
		t.Fatal(err)
	}
	other := []string{filepath.Join(run, ".notes-1"), filepath.Join(run, ".index.html-3"), filepath.Join(study, "digits", ".study.json-2"), filepath.Join(run, "checkpoint-0001"), filepath.Join(begun, "checkpoint")}
	for _, path := range append(litter, other...) {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := Sweep(t.Context(), study); err != nil {
		t.Fatal(err)
	}
	for _, path := range litter {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is still there", path)
		}
	}
	for _, path := range other {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
}

func TestDamagedStudyIsRepaired(t *testing.T) {
	for _, name := range []string{StudyFile, TunedFile} {
		folder := writeStudy(t)
		if err := os.WriteFile(filepath.Join(folder, name), []byte("{"), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Read(folder)
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "study command") || strings.Contains(err.Error(), "delete") {
			t.Errorf("damaged %s: %v", name, err)
		}
	}
}

func TestEndedRunWithoutSettings(t *testing.T) {
	folder := writeStudy(t)
	run := RunOf(folder, Job{Dataset: "digits", Optimizer: "adamw", Seed: 3})
	if err := os.Remove(filepath.Join(run.Folder, configFile)); err != nil {
		t.Fatal(err)
	}
	err := run.Chosen(Config{})
	if err == nil || !strings.Contains(err.Error(), "config.json is missing") || strings.Contains(err.Error(), " was ") {
		t.Errorf("error %v", err)
	}
}
