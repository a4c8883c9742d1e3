package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"diaghess/train/record"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// jobs are two arms of so many seeds on digits: a run has 23 steps in each of 4 epochs.
func jobs(seeds int) (all []record.Job) {
	for seed := range seeds {
		for _, optimizer := range []string{"adamw", "sgd"} {
			all = append(all, record.Job{
				Settings: record.Settings{Model: "mlp", Epochs: 4, Batch: 64, Protocol: record.ProtocolPilot, Augment: record.AugmentNone, Math: "fp32", Endpoint: record.EndpointLast, Average: record.AverageNone},
				Dataset:  "digits", Optimizer: optimizer, Seed: seed,
			})
		}
	}
	return all
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
}

// begin writes a study's folder with a ledger of events, each so many seconds after noon, and with
// the last files of the runs that ended.
func begin(t *testing.T, folder string, list []record.Job, events map[int]record.Event) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := record.WriteStudy(folder, list); err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Event == record.RunEnded {
			write(t, filepath.Join(folder, e.Run, "final.json"), []byte(fmt.Sprintf(`{"status": "%s"}`, e.Status)))
		}
	}
	var seconds []int
	for second := range events {
		seconds = append(seconds, second)
	}
	slices.Sort(seconds)
	last, lines := "", ""
	for i, second := range seconds {
		e := events[second]
		e.Previous, e.Time = last, noon.Add(time.Duration(second)*time.Second)
		if i == 0 {
			e.Schema = record.Schema
		}
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		last = record.Digest(line)
		lines += string(line) + "\n"
	}
	write(t, filepath.Join(folder, record.LedgerFolder, fmt.Sprintf("20260101T120000.%06d-%s.jsonl", seconds[0], last[:8])), []byte(lines))
}

// trained writes how far a run is, and when.
func trained(t *testing.T, folder, run string, epochs int, second int) {
	t.Helper()
	config, err := json.Marshal(map[string]any{"epochs": 4})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, run, "config.json"), config)
	path := filepath.Join(folder, run, "epochs.jsonl")
	write(t, path, []byte(strings.Repeat("{}\n", epochs)))
	if err := os.Chtimes(path, noon, noon.Add(time.Duration(second)*time.Second)); err != nil {
		t.Fatal(err)
	}
}

// Five shards of ten runs: complete, at work, silent, failed and not begun.
func TestStatus(t *testing.T) {
	study, list := t.TempDir(), jobs(5)
	folder := func(i int) string { return filepath.Join(study, record.Shard{Index: i, Of: 5}.Folder()) }
	run := func(optimizer string, seed int) string { return fmt.Sprintf("digits/%s/seed-%02d", optimizer, seed) }
	start := func(name string) record.Event {
		return record.Event{Event: record.RunStarted, Run: name, Host: "node1", Device: "cpu"}
	}
	end := func(name string, status record.Status, step int) record.Event {
		return record.Event{Event: record.RunEnded, Run: name, Status: status, Record: "r", Step: step}
	}
	planned := record.Event{Event: record.StudyPlanned}
	begin(t, folder(0), list, map[int]record.Event{0: planned, 1: start(run("adamw", 0)), 9: end(run("adamw", 0), record.Finished, 92), 10: start(run("sgd", 0)), 20: end(run("sgd", 0), record.Diverged, 30)})
	// Its last process began at 100 and has trained 92 and 2 x 23 steps in 69 s; 46 are left.
	begin(t, folder(1), list, map[int]record.Event{0: planned, 1: start(run("adamw", 1)), 2: start(run("sgd", 1))})
	begin(t, folder(1), list, map[int]record.Event{100: start(run("adamw", 1)), 120: end(run("adamw", 1), record.Finished, 92), 121: start(run("sgd", 1))})
	trained(t, folder(1), run("sgd", 1), 2, 169)
	begin(t, folder(2), list, map[int]record.Event{0: planned, 1: start(run("adamw", 2))})
	trained(t, folder(2), run("adamw", 2), 1, 30)
	begin(t, folder(3), list, map[int]record.Event{0: planned, 1: start(run("adamw", 3)), 2: {Event: record.RunFailed, Run: run("adamw", 3), Why: "the disk is full"}})

	r := &Reader{Trials: "trials", Now: func() time.Time { return noon.Add(200 * time.Second) }}
	s, err := r.Read(study)
	if err != nil {
		t.Fatal(err)
	}
	states := []State{}
	for _, shard := range s.Shards {
		states = append(states, shard.State)
	}
	if want := []State{Complete, Working, Silent, Failed, Waiting}; !slices.Equal(states, want) {
		t.Fatalf("states %v, want %v", states, want)
	}
	if got, want := fmt.Sprint(s.Runs, s.Ended, s.Diverged, s.Running, s.Failed, s.Steps, s.Done, s.Left), "10 3 1 1 1 920 345 <nil>"; got != want {
		t.Errorf("runs, ended, diverged, running, failed, steps, done, left are %s, want %s", got, want)
	}
	working := s.Shards[1]
	if working.Left == nil || *working.Left != 46*69./138 || working.Host != "node1" || working.Device != "cpu" || !working.Last.Equal(noon.Add(169*time.Second)) {
		t.Errorf("at work: %+v, left %v", working, working.Left)
	}
	if want := []Run{{run("sgd", 1), 2, 4}}; !slices.Equal(working.Now, want) {
		t.Errorf("at work on %v, want %v", working.Now, want)
	}
	if want := []Failure{{run("adamw", 3), "the disk is full"}}; !slices.Equal(s.Shards[3].Failures, want) {
		t.Errorf("failures %v, want %v", s.Shards[3].Failures, want)
	}
	if last := s.Shards[4]; last.Runs != 2 || last.Steps != 184 || last.Name != "4/5" {
		t.Errorf("not begun: %+v", last)
	}
	if one, err := r.Read(folder(1)); err != nil || one.Left == nil || *one.Left != *working.Left {
		t.Errorf("%+v, %v", one, err)
	}
	// The same reader reads others, of other numbers of shards.
	other, tuning := t.TempDir(), t.TempDir()
	begin(t, filepath.Join(other, record.Shard{Index: 1, Of: 2}.Folder()), jobs(3), map[int]record.Event{0: planned})
	begin(t, filepath.Join(tuning, record.Shard{Index: 0, Of: 9}.Folder(), "trials"), jobs(4), map[int]record.Event{0: planned})
	for folder, want := range map[string]string{other: "6 [4 2]", tuning: "8 [8 0 0 0 0 0 0 0 0]"} {
		s, err := r.Read(folder)
		if err != nil {
			t.Fatal(err)
		}
		runs := make([]int, len(s.Shards))
		for _, shard := range s.Shards {
			which, err := record.ParseShard(shard.Name)
			if err != nil {
				t.Fatal(err)
			}
			runs[which.Index] = shard.Runs
		}
		if got := fmt.Sprint(s.Runs, runs); got != want {
			t.Errorf("%s has %s runs, want %s", folder, got, want)
		}
	}
	mixed := t.TempDir()
	for _, shard := range []record.Shard{{Index: 0, Of: 2}, {Index: 0, Of: 3}} {
		begin(t, filepath.Join(mixed, shard.Folder()), jobs(3), map[int]record.Event{0: planned})
	}
	file := filepath.Join(t.TempDir(), "study.zip")
	write(t, file, nil)
	for _, wrong := range []string{t.TempDir(), filepath.Join(study, "nowhere"), mixed, file} {
		if _, err := r.Read(wrong); err == nil || !strings.HasPrefix(err.Error(), wrong) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	for content, want := range map[string]string{"": "study.json is damaged: it is empty\n", "{}": "study.json has no field jobs\n", `{"jobs": []}`: "study.json lists no runs\n"} {
		folder := t.TempDir()
		write(t, filepath.Join(folder, record.StudyFile), []byte(content))
		if _, err := r.Read(folder); err == nil || !strings.HasPrefix(err.Error(), filepath.Join(folder, want)) {
			t.Errorf("study.json of %q: %v", content, err)
		}
	}
	if _, err := r.Read(""); err == nil || !strings.HasPrefix(err.Error(), "the name of a folder is empty") {
		t.Errorf("a folder without a name: %v", err)
	}
}

// What has ended is counted by the records, wherever the ledger has them, and what does not fit is
// named. Of six runs the first of two shards has four, of seeds 0 and 2.
func TestRecordsCount(t *testing.T) {
	first, second := record.Shard{Index: 0, Of: 2}.Folder(), record.Shard{Index: 1, Of: 2}.Folder()
	seeds := map[string][]int{"": {0, 1, 2}, first: {0, 2}, second: {1}}
	// put writes a folder whose ledger ends with some events, and in which the first runs have ended.
	put := func(folder string, list []record.Job, seeds []int, runs int, last ...record.Event) {
		t.Helper()
		events := []record.Event{{Event: record.StudyPlanned}}
		for _, job := range list {
			if slices.Contains(seeds, job.Seed) && len(events) < 2*runs {
				events = append(events, record.Event{Event: record.RunStarted, Run: job.Folder()}, record.Event{Event: record.RunEnded, Run: job.Folder(), Status: record.Diverged, Step: 92})
			}
		}
		all := map[int]record.Event{}
		for i, e := range append(events, last...) {
			all[i] = e
		}
		begin(t, folder, list, all)
	}
	shard := func(study, name string, runs int) { put(filepath.Join(study, name), jobs(3), seeds[name], runs) }
	shards := func(study string) { shard(study, first, 4); shard(study, second, 2) }
	merge := func(study string, seeds []int, runs int, last ...record.Event) {
		put(study, jobs(3), seeds, runs, append([]record.Event{{Event: record.StudyMerged}}, last...)...)
	}
	ledger := func(study, shard string) string {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(study, shard, record.LedgerFolder, "*"))
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}
		return files[0]
	}
	change := func(file string, to func(string) string) {
		t.Helper()
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		write(t, file, []byte(to(string(content))))
	}
	do := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	unfit := []string{"lacks the ends of 4 runs that have records, such as digits/adamw/seed-00: ", "has the ends of 2 runs without records, such as digits/adamw/seed-01: ", "lacks the ends of 2 runs", "has the ends of 4 runs"}
	for _, c := range []struct {
		name   string
		make   func(study string)
		want   string // ended of runs, merged runs and whether all are, complete, states
		faults []string
	}{
		{"decided at a look", func(study string) {
			put(study, jobs(3), seeds[""], 4, record.Event{Event: record.StudyLooked, Runs: 4, Step: 368})
		}, "4/4 2 more, 368 of 368, 0 false, true [complete]", nil},
		{"planned anew after a look", func(study string) {
			put(study, jobs(3), seeds[""], 4, record.Event{Event: record.StudyLooked, Runs: 4, Step: 368}, record.Event{Event: record.StudyPlanned})
		}, "4/6 0 more, 368 of 552, 0 false, false [stopped]", nil},
		{"merged in part, the other ended later", func(study string) { shards(study); merge(study, seeds[first], 4) }, "6/6 0 more, 552 of 552, 4 false, true [complete complete]", nil},
		{"merged unfinished", func(study string) { shard(study, first, 2); merge(study, seeds[first], 2) }, "2/6 0 more, 184 of 552, 2 false, false [stopped not begun]", nil},
		{"merged", func(study string) { shards(study); merge(study, seeds[""], 6) }, "6/6 0 more, 552 of 552, 6 true, true [complete complete]", nil},
		{"merged, a shard removed", func(study string) { shard(study, first, 4); merge(study, seeds[""], 6) }, "6/6 0 more, 552 of 552, 6 true, true [complete complete]", nil},
		{"went on after a merge", func(study string) {
			shard(study, first, 4)
			merge(study, seeds[""], 6, record.Event{Schema: record.Schema, Event: record.RunStarted, Run: "digits/sgd/seed-01"})
		}, "6/6 0 more, 552 of 552, 6 true, true [complete complete complete]", nil},
		{"at work after a merge", func(study string) {
			shard(study, first, 4)
			merge(study, seeds[first], 4, record.Event{Schema: record.Schema, Event: record.RunStarted, Run: "digits/sgd/seed-01"})
		}, "4/6 0 more, 368 of 552, 4 false, false [at work complete not begun]", nil},
		{"another's ledger beside its own", func(study string) {
			shards(study)
			do(os.Link(ledger(study, first), filepath.Join(study, second, record.LedgerFolder, "20260101T120001.000000-01234567.jsonl")))
		}, "6/6 0 more, 552 of 552, 0 false, true [complete complete]", unfit[3:]},
		{"ledgers swapped", func(study string) {
			shards(study)
			a, b := filepath.Join(study, first, record.LedgerFolder), filepath.Join(study, second, record.LedgerFolder)
			do(os.Rename(a, a+"-"), os.Rename(b, a), os.Rename(a+"-", b))
		}, "6/6 0 more, 552 of 552, 0 false, true [complete complete]", unfit},
		{"a changed word", func(study string) {
			shards(study)
			change(ledger(study, first), func(s string) string { return strings.Replace(s, `"status"`, `"statsu"`, 1) })
		}, "6/6 0 more, 552 of 552, 0 false, true [complete complete]", []string{".jsonl:4 does not follow from the line before"}},
		{"changed steps of an unfinished shard", func(study string) {
			shard(study, first, 2)
			change(ledger(study, first), func(s string) string { return strings.ReplaceAll(s, `"step":92`, `"step":1`) })
		}, "2/6 0 more, 184 of 552, 0 false, false [unknown not begun]", []string{".jsonl:4 does not follow from the line before"}},
		{"a ledger of anything", func(study string) {
			shard(study, first, 2)
			change(ledger(study, first), func(string) string { return strings.Repeat("\x01", 300) })
		}, "2/6 0 more, 184 of 552, 0 false, false [unknown not begun]", []string{"is missing or has no whole line, and 2 runs have records, such as digits/adamw/seed-00"}},
		{"no ledger", func(study string) {
			shards(study)
			do(os.RemoveAll(filepath.Join(study, second, record.LedgerFolder)))
		}, "6/6 0 more, 552 of 552, 0 false, true [complete complete]", []string{"is missing or has no whole line, and 2 runs have records, such as digits/adamw/seed-01"}},
		{"records gone", func(study string) {
			put(study, jobs(3), seeds[""], 6)
			do(os.RemoveAll(filepath.Join(study, "digits")))
		}, "0/6 0 more, 0 of 552, 0 false, false [stopped]", []string{"has the ends of 6 runs without records, such as digits/adamw/seed-00: "}},
		{"a tuning with a shard that has not begun", func(study string) {
			put(filepath.Join(study, first, "trials"), jobs(2), []int{0, 1}, 4)
			put(filepath.Join(study, "trials"), jobs(2), []int{0, 1}, 4, record.Event{Event: record.StudyMerged})
		}, "4/4 0 more, 368 of 368, 4 false, false [complete not begun]", nil},
		{"a merged tuning", func(study string) {
			put(filepath.Join(study, first, "trials"), jobs(2), []int{0, 1}, 4)
			put(filepath.Join(study, "trials"), jobs(3), seeds[""], 6, record.Event{Event: record.StudyMerged})
			write(t, filepath.Join(study, record.TunedFile), nil)
		}, "6/6 0 more, 552 of 552, 6 true, true [complete not begun]", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			study := t.TempDir()
			c.make(study)
			r := &Reader{Trials: "trials", Now: func() time.Time { return noon.Add(time.Minute) }}
			for range 2 { // the second time with what it has kept
				s, err := r.Read(study)
				if err != nil {
					t.Fatal(err)
				}
				var states []State
				var faults record.Problems
				for _, shard := range s.Shards {
					states, faults = append(states, shard.State), append(faults, shard.Ledger...)
				}
				if got := fmt.Sprintf("%d/%d %d more, %d of %d, %d %t, %t %v", s.Ended, s.Runs, s.Needless, s.Done, s.Steps, s.MergedRuns, s.Merged, s.Complete(), states); got != c.want {
					t.Errorf("is\n%s, want\n%s", got, c.want)
				}
				if s.Diverged != s.Ended {
					t.Errorf("%d of %d diverged", s.Diverged, s.Ended)
				}
				if len(faults) != len(c.faults) {
					t.Fatalf("faults of the ledgers: %v\nwant %q", faults, c.faults)
				}
				for i, fault := range faults {
					if !strings.Contains(fault.String(), c.faults[i]) {
						t.Errorf("%v, want %q", fault, c.faults[i])
					}
				}
			}
		})
	}
}

// gone is a file system in which files that are being replaced are missing or cut at any moment,
// as on another machine.
type gone struct {
	fs.FS
	looks *int
}

func (g gone) Open(name string) (fs.File, error) {
	*g.looks++
	if strings.HasSuffix(name, ".jsonl") && !strings.HasPrefix(name, record.LedgerFolder) && *g.looks%2 == 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return g.FS.Open(name)
}

func (g gone) Stat(name string) (fs.FileInfo, error) { return fs.Stat(g.FS, name) }

// A thousand shards have a state while their files are being replaced.
func TestStatusOfManyShards(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 50
	}
	study, list := t.TempDir(), jobs(n)
	first := filepath.Join(study, record.Shard{Of: n}.Folder())
	files, err := record.PlanFiles(list, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	planned := record.Event{Event: record.StudyPlanned, Files: map[string]string{record.StudyFile: record.Digest(files[record.StudyFile])}}
	for i := range n {
		folder := filepath.Join(study, record.Shard{Index: i, Of: n}.Folder())
		run := fmt.Sprintf("digits/adamw/seed-%02d", i)
		if i == 0 {
			begin(t, folder, list, map[int]record.Event{0: planned, 1: {Event: record.RunStarted, Run: run}})
		} else {
			begin(t, folder, nil, map[int]record.Event{0: planned, 1: {Event: record.RunStarted, Run: run}})
			path := filepath.Join(folder, record.StudyFile)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Link(filepath.Join(first, record.StudyFile), path); err != nil {
				t.Fatal(err)
			}
		}
		trained(t, folder, run, 2, 46)
	}
	looks := 0
	r := &Reader{Open: func(folder string) fs.FS { return gone{os.DirFS(folder), &looks} }, Now: func() time.Time { return noon.Add(time.Minute) }}
	s, err := r.Read(study)
	if err != nil {
		t.Fatal(err)
	}
	if s.Runs != 2*n || s.Running != n || len(r.plans) != 1 {
		t.Errorf("%+v, plans %d", s.Counts, len(r.plans))
	}
}
