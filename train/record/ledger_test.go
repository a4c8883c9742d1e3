package record

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeLedger returns the folder of a study of two runs, whose ledger has two files of the lines
// planned, ended, ended and planned.
func writeLedger(t *testing.T) string {
	t.Helper()
	folder := writeStudy(t)
	for i := range 2 {
		ledger, err := OpenLedger(folder)
		if err != nil {
			t.Fatal(err)
		}
		// The second is another command.
		jobs := []Job{configOf("adamw", 3).Job, configOf("sgd", 3).Job}[:2-i]
		if _, err := ledger.Plan(jobs, nil, Build{}); err != nil {
			t.Fatal(err)
		}
		for _, run := range []string{"digits/adamw/seed-03", "digits/sgd_lr=0.10_momentum=0/seed-03"} {
			e, there, err := Run{filepath.Join(folder, run)}.Record()
			if !there || err != nil {
				t.Fatal(there, err)
			}
			for _, what := range []Happening{RunStarted, RunEnding, RunEnded} {
				e.Event, e.Run = what, run
				if i == 0 {
					err = ledger.Add(e)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := ledger.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// ledgerFiles returns the files of a ledger in order.
func ledgerFiles(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, LedgerFolder, "*"))
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	return files
}

// findings returns what a ledger's check finds, one a line.
func findings(t *testing.T, folder string) string {
	t.Helper()
	_, faults, remarks, err := CheckLedger(os.DirFS(folder), folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		remarks = append(remarks, "FAULT "+f.String())
	}
	return strings.ReplaceAll(strings.Join(remarks, "\n"), folder+string(filepath.Separator), "")
}

// edit replaces the content of a file.
func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = os.WriteFile(path, change(content), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// What is planned after the first end is told, where there is a plan or a tuning's result.
func TestLedgerTellsOfPlans(t *testing.T) {
	for name, c := range map[string]struct {
		was, is map[string]string
		want    string // "" for nothing
	}{
		"single runs":      {map[string]string{StudyFile: "a"}, map[string]string{StudyFile: "b"}, ""},
		"the same plan":    {map[string]string{StudyFile: "a", PlanFile: "p"}, map[string]string{StudyFile: "a", PlanFile: "p"}, ""},
		"other runs":       {map[string]string{StudyFile: "a", PlanFile: "p"}, map[string]string{StudyFile: "b", PlanFile: "p"}, "the list of runs was changed"},
		"another plan":     {map[string]string{StudyFile: "a", PlanFile: "p"}, map[string]string{StudyFile: "b", PlanFile: "q"}, "the plan was changed"},
		"a plan that went": {map[string]string{StudyFile: "a", PlanFile: "p"}, map[string]string{StudyFile: "a"}, "the plan was changed"},
		"a plan made late": {map[string]string{StudyFile: "a"}, map[string]string{StudyFile: "b", PlanFile: "p"}, "the plan was changed"},
		"another tuning":   {map[string]string{StudyFile: "a", TunedFile: "t"}, map[string]string{StudyFile: "b", TunedFile: "u"}, "the plan was changed"},
	} {
		h := History{Events: []Event{{Event: StudyPlanned, Files: c.was}, {Event: RunEnded, Run: "digits/adamw/seed-00", Record: "r", Result: "r", Status: Finished}, {Event: StudyPlanned, Files: c.is}}}
		_, remarks := h.past("study")
		if got := strings.Join(remarks, "; "); (c.want == "") != (got == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Whatever happens to a ledger or to the records beside it is told, and where.
func TestLedgerTells(t *testing.T) {
	remove := func(t *testing.T, path string) {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	adamw := filepath.Join("digits", "adamw", "seed-03")
	for name, c := range map[string]struct {
		change func(t *testing.T, folder string, files []string)
		want   string // contained in the findings; "" for none
	}{
		"honest": {func(*testing.T, string, []string) {}, ""},
		"torn last line": {func(t *testing.T, _ string, files []string) {
			edit(t, files[1], func(b []byte) []byte { return append(b, `{"previous":"`...) })
		}, ""},
		"number changed": {func(t *testing.T, _ string, files []string) {
			edit(t, files[0], func(b []byte) []byte { return bytes.Replace(b, []byte(`"runs":2`), []byte(`"runs":3`), 1) })
		}, ":2 does not follow"},
		"line removed": {func(t *testing.T, _ string, files []string) {
			edit(t, files[0], func(b []byte) []byte {
				lines := bytes.SplitAfter(b, []byte("\n"))
				return append(lines[0], lines[2]...)
			})
		}, ":2 does not follow"},
		"last line removed": {func(t *testing.T, _ string, files []string) {
			edit(t, files[0], func(b []byte) []byte {
				lines := bytes.SplitAfter(b, []byte("\n"))
				return append(lines[0], lines[1]...)
			})
		}, "that is not there: the ledger was changed or cut"},
		"file removed": {func(t *testing.T, _ string, files []string) { remove(t, files[0]) }, "which is not there: the ledger was cut"},
		"all removed":  {func(t *testing.T, folder string, _ []string) { remove(t, filepath.Join(folder, LedgerFolder)) }, "FAULT ledger is missing"},
		"run removed":  {func(t *testing.T, folder string, _ []string) { remove(t, filepath.Join(folder, adamw)) }, "FAULT " + adamw + " finished, by the ledger"},
		"record changed": {func(t *testing.T, folder string, _ []string) {
			edit(t, filepath.Join(folder, adamw, finalFile), func(b []byte) []byte { return bytes.Replace(b, []byte(`"val_loss": 0`), []byte(`"val_loss": 1`), 1) })
		}, "FAULT " + adamw + " is not the record"},
		"a checkpoint in place of the record": {func(t *testing.T, folder string, _ []string) {
			remove(t, filepath.Join(folder, adamw, finalFile))
			edit(t, filepath.Join(folder, adamw, checkpointFile), func([]byte) []byte { return nil })
		}, "FAULT " + adamw + " finished, by the ledger"},
		"plan changed": {func(t *testing.T, folder string, _ []string) {
			edit(t, filepath.Join(folder, StudyFile), func(b []byte) []byte { return bytes.Replace(b, []byte(`"seed": 3`), []byte(`"seed": 4`), 1) })
		}, "FAULT study.json is not of any plan"},
		"plan removed": {func(t *testing.T, folder string, _ []string) { remove(t, filepath.Join(folder, StudyFile)) }, "FAULT study.json is in the ledger's plan, and is gone"},
		"line ends changed": {func(t *testing.T, _ string, files []string) {
			edit(t, files[0], func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) })
		}, ":2 does not follow"},
		"a file of others": {func(t *testing.T, folder string, _ []string) {
			edit(t, filepath.Join(folder, LedgerFolder, "2024.jsonl"), func([]byte) []byte { return []byte("{}\n") })
		}, ""},
		"seed copied": {func(t *testing.T, folder string, _ []string) {
			if err := os.CopyFS(filepath.Join(folder, "digits", "adamw", "seed-04"), os.DirFS(filepath.Join(folder, adamw))); err != nil {
				t.Fatal(err)
			}
		}, "FAULT " + filepath.Join("digits", "adamw", "seed-04") + " is not in the ledger"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := writeLedger(t)
			c.change(t, folder, ledgerFiles(t, folder))
			got := findings(t, folder)
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

// What is read of a run has the event of its end, where there is a ledger.
func TestReadTellsTheEnd(t *testing.T) {
	folder := writeLedger(t)
	if err := WriteStudy(folder, []Job{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		studies, err := Read(folder)
		if err != nil || len(studies[0].Runs) != 2 {
			t.Fatal(studies, err)
		}
		for _, run := range studies[0].Runs {
			if there := run.Event != nil && run.Event.Event == RunEnded && run.Event.Record != ""; there != want {
				t.Errorf("%s: event %+v, want one: %v", run.Source, run.Event, want)
			}
		}
		if err := os.RemoveAll(filepath.Join(folder, LedgerFolder)); err != nil {
			t.Fatal(err)
		}
	}
}

// A study that goes on notes what happened to its records meanwhile; that stays in the ledger.
func TestReconcile(t *testing.T) {
	folder := writeLedger(t)
	adamw, sgd := filepath.Join(folder, "digits", "adamw", "seed-03"), filepath.Join(folder, "digits", "sgd_lr=0.10_momentum=0", "seed-03")
	kept := filepath.Join(t.TempDir(), "adamw")
	for _, err := range []error{
		os.Rename(adamw, kept),
		os.CopyFS(filepath.Join(folder, "digits", "adamw", "seed-05"), os.DirFS(kept)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	edit(t, filepath.Join(sgd, finalFile), func(b []byte) []byte { return bytes.Replace(b, []byte(`"f1": 0.75`), []byte(`"f1": 0.5`), 1) })
	reconcile := func() {
		t.Helper()
		ledger, err := OpenLedger(folder)
		if err == nil {
			err = ledger.Reconcile(nil)
		}
		if err == nil {
			err = ledger.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	reconcile()
	reconcile() // adds nothing
	got := findings(t, folder)
	for _, want := range []string{"not made under this ledger, but found: the records of 1 run, digits/adamw/seed-05", "adamw/seed-03 had finished and was removed", "seed-03 was replaced before"} {
		if strings.Count(filepath.ToSlash(got), want) != 1 {
			t.Errorf("%q is not once in\n%s", want, got)
		}
	}
	if err := os.Rename(kept, adamw); err != nil {
		t.Fatal(err)
	}
	reconcile()
	if got := findings(t, folder); !strings.Contains(got, "was removed and is back, with equal results") || strings.Contains(got, "had finished and was removed") {
		t.Errorf("after the run came back:\n%s", got)
	}
}

// A process that was killed anywhere between a run's last events leaves a ledger that fits, and
// the next one goes on with it.
func TestLedgerOfAKilledProcess(t *testing.T) {
	const run = "digits/adamw/seed-03"
	for _, c := range []struct {
		name    string
		events  []Happening
		written bool // final.json
	}{
		{"before the record", []Happening{RunStarted}, false},
		{"before its last file", []Happening{RunStarted, RunEnding}, false},
		{"after its last file", []Happening{RunStarted, RunEnding}, true},
		{"at the end", []Happening{RunStarted, RunEnding, RunEnded}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			written := writeRun(t, folder, configOf("adamw", 3))
			e, _, err := Run{written}.Record()
			if err != nil {
				t.Fatal(err)
			}
			for i := range 2 {
				ledger, err := OpenLedger(folder)
				if err == nil {
					_, err = ledger.Plan([]Job{configOf("adamw", 3).Job}, nil, Build{})
				}
				if err == nil && i == 1 {
					err = ledger.Reconcile(nil)
				}
				for _, what := range c.events {
					if e.Event, e.Run = what, run; err == nil && i == 0 {
						err = ledger.Add(e)
					}
				}
				if err == nil && i == 0 && !c.written {
					err = os.Remove(filepath.Join(written, finalFile))
				}
				if err := errors.Join(err, ledger.Close()); err != nil {
					t.Fatal(err)
				}
				if got := findings(t, folder); got != "" {
					t.Errorf("after process %d: %s", i+1, got)
				}
				if !c.written {
					continue
				}
				if got := mustRead(t, folder)[0].Runs; len(got) != 1 || got[0].Event == nil {
					t.Errorf("after process %d it is not known that the run was made under the ledger: %+v", i+1, got)
				}
			}
		})
	}
}

// The order of the ledger is that of its chain, whatever the clocks said.
func TestClockSetBack(t *testing.T) {
	folder := t.TempDir()
	var plans []string
	for i, hours := range []time.Duration{5, 1, 3} {
		ledger, err := OpenLedger(folder)
		if err != nil {
			t.Fatal(err)
		}
		ledger.now = func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(hours * time.Hour) }
		plan, err := ledger.Plan([]Job{configOf("adamw", i).Job}, nil, Build{})
		if err := errors.Join(err, ledger.Close()); err != nil {
			t.Fatal(err)
		}
		plans = append(plans, plan)
	}
	h, err := ReadLedger(os.DirFS(folder), folder)
	if err != nil || len(h.Faults) > 0 || len(h.Events) != 3 {
		t.Fatalf("%+v, %v", h, err)
	}
	for i, e := range h.Events {
		if e.Plan != plans[i] {
			t.Errorf("plan %d of the ledger is %s, want %s", i, e.Plan, plans[i])
		}
	}
}

// A study is found under a name that is a pattern.
func TestLedgerUnderAPattern(t *testing.T) {
	above := t.TempDir()
	if err := os.Rename(writeLedger(t), filepath.Join(above, "s[1]*")); err != nil {
		t.Fatal(err)
	}
	if c := mustRead(t, above)[0]; len(c.Ledger) > 0 || len(c.Runs) != 2 {
		t.Errorf("%+v", c)
	}
}

// Lines that would be lost are an error.
func TestLedgerRemovedWhileWritten(t *testing.T) {
	folder := t.TempDir()
	ledger, err := OpenLedger(folder)
	if err == nil {
		err = ledger.Add(Event{Event: RunStarted, Run: "a"})
	}
	if err := errors.Join(err, os.RemoveAll(filepath.Join(folder, LedgerFolder))); err != nil {
		t.Fatal(err)
	}
	if err := ledger.Add(Event{Event: RunEnded, Run: "a"}); err == nil || !strings.Contains(err.Error(), "was removed or replaced") {
		t.Errorf("%v", err)
	}
}
