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

// begin writes a study's folder with a ledger of events, each so many seconds after noon.
func begin(t *testing.T, folder string, list []record.Job, events map[int]record.Event) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := record.WriteStudy(folder, list); err != nil {
		t.Fatal(err)
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
	// Without its ledger, what has ended is known from the records.
	if err := errors.Join(os.RemoveAll(filepath.Join(folder(1), record.LedgerFolder)), os.WriteFile(filepath.Join(folder(1), filepath.FromSlash(run("sgd", 1)), "final.json"), nil, 0o666)); err != nil {
		t.Fatal(err)
	}
	if one, err := r.Read(folder(1)); err != nil || one.Shards[0].State != Unknown || one.Ended != 1 || one.Runs != 2 {
		t.Errorf("without a ledger: %+v, %v", one, err)
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
	for i := range n {
		folder := filepath.Join(study, record.Shard{Index: i, Of: n}.Folder())
		run := fmt.Sprintf("digits/adamw/seed-%02d", i)
		if i == 0 {
			begin(t, folder, list, map[int]record.Event{0: {Event: record.StudyPlanned, Files: map[string]string{record.StudyFile: "d"}}, 1: {Event: record.RunStarted, Run: run}})
		} else {
			begin(t, folder, nil, map[int]record.Event{0: {Event: record.StudyPlanned, Files: map[string]string{record.StudyFile: "d"}}, 1: {Event: record.RunStarted, Run: run}})
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
