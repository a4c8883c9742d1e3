package study

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"diaghess/train/record"
)

// inShard is a study's shard, in its folder in that of the study.
func inShard(s *Study, index, of int) *Study {
	part := *s
	part.Shard = record.Shard{Index: index, Of: of}
	part.Out = filepath.Join(s.Out, part.Shard.Folder())
	return &part
}

func mergeInto(t *testing.T, out string, folders ...string) *record.Merged {
	t.Helper()
	merged, err := record.Merge(t.Context(), record.Merging{Out: out, Folders: folders, Trials: "trials", Divide: Divide})
	if err != nil {
		t.Fatal(err)
	}
	return merged
}

// Three shards, of which one is interrupted and goes on, make the study that one process makes,
// with the same plan digest.
func TestShardsAreTheStudy(t *testing.T) {
	whole, parts := smallStudy(t.TempDir()), smallStudy(filepath.Join(t.TempDir(), "study"))
	for _, s := range []*Study{whole, parts} {
		s.Seeds = []int{0, 1, 2, 3}
	}
	if _, err := whole.Register(""); err != nil {
		t.Fatal(err)
	}
	want := runStudy(t, whole)
	plan, err := record.PlanDigest(os.DirFS(whole.Out))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		s := inShard(parts, i, 3)
		if _, err := s.Register(""); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			ctx, cancel := context.WithCancel(t.Context())
			if err := s.Run(ctx, &stopper{steps: 5, stop: cancel}); !errors.Is(err, ErrStopped) {
				t.Fatal(err)
			}
		}
		if err := s.Run(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if digest, err := record.PlanDigest(os.DirFS(s.Out)); err != nil || digest != plan {
			t.Errorf("shard %d has the plan %s, want %s, %v", i, digest, plan, err)
		}
	}
	out := filepath.Join(t.TempDir(), "merged")
	merged := mergeInto(t, out, parts.Out)
	compareStudies(t, readStudy(t, out), want)
	if results, err := record.ResultsDigest(os.DirFS(whole.Out), whole.Out); err != nil || results != merged.Results {
		t.Errorf("results %s, want %s, %v", merged.Results, results, err)
	}
	history, faults, remarks, err := record.CheckLedger(os.DirFS(out), out)
	if err != nil || faults != nil || remarks != nil {
		t.Errorf("%v %v %v", faults, remarks, err)
	}
	resumed := false
	for _, e := range history.Events {
		resumed = resumed || e.Event == record.RunResumed
		if (e.Event == record.RunStarted || e.Event == record.RunResumed) && e.Host == "" {
			t.Errorf("%s has no host", e.Run)
		}
	}
	if !resumed {
		t.Error("no run was resumed")
	}
}

func TestDivide(t *testing.T) {
	settings := smallStudy("").Settings
	var jobs []record.Job
	for _, dataset := range []string{"cifar10", "digits", "mnist"} {
		for seed := range 7 {
			for _, optimizer := range []string{"adamw", "sgd", "diaghess"} {
				jobs = append(jobs, record.Job{Settings: settings, Dataset: dataset, Optimizer: optimizer, Seed: seed})
			}
		}
	}
	if c := costs(jobs); c["cifar10"] < 10*c["digits"] {
		t.Errorf("costs %v", c)
	}
	// Where one dataset is not of the catalogue, all runs count the same.
	own := record.Job{Settings: settings, Dataset: "mine@12345678", Optimizer: "adamw"}
	if c := costs(append(jobs[:len(jobs):len(jobs)], own)); len(c) != 4 || c["cifar10"] != 1 || c[own.Dataset] != 1 {
		t.Errorf("costs %v", c)
	}
	for _, n := range []int{1, 2, 5, 21} {
		shards, err := Divide(jobs, n)
		if err != nil {
			t.Fatal(err)
		}
		load, largest := make([]float64, n), 0.
		for i, job := range jobs {
			if shards[i] != shards[i-i%3] {
				t.Errorf("%d shards: %s is not with its pair", n, job)
			}
			c := costs(jobs)[job.Dataset]
			load[shards[i]] += c
			largest = max(largest, 3*c)
		}
		low, high := math.Inf(1), 0.
		for _, l := range load {
			low, high = min(low, l), max(high, l)
		}
		// Each unit went to the shard with the least: no shard is ahead by more than one.
		if low == 0 || high-low > largest {
			t.Errorf("%d shards have loads %v", n, load)
		}
	}
	if _, err := Divide(jobs, 22); err == nil || !strings.Contains(err.Error(), "22 shards of 21 units") {
		t.Error(err)
	}
}

func TestShardsRefuse(t *testing.T) {
	out := filepath.Join(t.TempDir(), "study")
	s := smallStudy(out)
	if err := inShard(s, 0, 2).Run(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	other := smallStudy(out)
	other.Seeds = []int{0, 1, 2}
	looks := smallStudy(out)
	looks.Intent.Looks = []int{1, 2}
	unsharded := smallStudy(t.TempDir())
	if err := unsharded.Run(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for want, s := range map[string]*Study{
		"3 shards of 2 units":       inShard(s, 1, 3),
		"lists other runs":          inShard(other, 1, 2),
		"all shards of a study are": inShard(other, 1, 3),
		"a look needs the results":  inShard(looks, 1, 2),
		"begun without shards":      inShard(unsharded, 0, 2),
		"holds 1 of 2 shards":       s,
	} {
		if err := s.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// Where a file system has lost a shard's lock, two processes may train it. The older one ends, and
// the study is what it would have been.
func TestTwoProcessesOfAShard(t *testing.T) {
	whole := smallStudy(t.TempDir())
	runStudy(t, whole)
	parts := smallStudy(filepath.Join(t.TempDir(), "study"))
	older, newer := inShard(parts, 0, 1), inShard(parts, 0, 1)
	older.held, newer.held = true, true // as if each had the lock
	older.Epochs, newer.Epochs = whole.Epochs, whole.Epochs
	if err := os.MkdirAll(older.Out, 0o777); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	var second error
	err := older.Run(t.Context(), stepObserver{func() {
		once.Do(func() { second = newer.Run(t.Context(), nil) })
	}})
	if second != nil {
		t.Fatal(second)
	}
	if err == nil || !strings.Contains(err.Error(), "another process works on") {
		t.Errorf("the older process: %v", err)
	}
	out := filepath.Join(t.TempDir(), "merged")
	merged := mergeInto(t, out, parts.Out)
	if results, err := record.ResultsDigest(os.DirFS(whole.Out), whole.Out); err != nil || results != merged.Results {
		t.Errorf("results %s, want %s, %v", merged.Results, results, err)
	}
	if _, faults, _, err := record.CheckLedger(os.DirFS(out), out); err != nil || faults != nil {
		t.Errorf("%v %v", faults, err)
	}
}

// stepObserver calls a function with every step.
type stepObserver struct{ step func() }

func (o stepObserver) Study(Extent) {}
func (o stepObserver) Look(string)  {}
func (o stepObserver) Stopping()    {}

func (o stepObserver) Left(string, error) {}

func (o stepObserver) Run(record.Job, record.Config, int, int) RunObserver {
	return watching{Silent{}, o}
}

type watching struct {
	Silent
	observer stepObserver
}

func (w watching) Step(int) { w.observer.step() }
