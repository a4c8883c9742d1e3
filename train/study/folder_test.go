package study

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"diaghess/optim"
	"diaghess/train/record"
)

// kept records from what steps runs were said to go on, and why they failed.
type keptSteps struct {
	Silent
	extent  Extent
	step    func(run int) // after a step of the run, by its place in the order of beginning
	mutex   sync.Mutex
	runs    int
	stopped map[int]error // by step
	told    int           // that the study stops
}

func (k *keptSteps) Study(e Extent) { k.extent = e }
func (k *keptSteps) Stopping()      { k.told++ }

func (k *keptSteps) Run(record.Job, record.Config, int, int) RunObserver {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.runs++
	return &keptRun{keptSteps: k, run: k.runs}
}

type keptRun struct {
	*keptSteps
	run int
}

func (r *keptRun) Step(int) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.step(r.run)
}

func (r *keptRun) Stopped(step int, why error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.stopped[step] = why
}

// Where an interrupted run cannot keep its checkpoint, nobody is told that it is kept.
func TestStoppedRunsSayWhatIsKept(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(run string) error // the folder of the first run
		says  string                 // "" for no failure
		step  int                    // that is kept
	}{
		{"", func(string) error { return nil }, "", 10},
		{"folder deleted", os.RemoveAll, "no checkpoint could be written", 0},
		{"folder is a file", func(run string) error { return errors.Join(os.RemoveAll(run), os.WriteFile(run, nil, 0o644)) }, "not a directory", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := smallStudy(t.TempDir())
			s.Parallel = 1
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			steps := 0
			seen := &keptSteps{stopped: map[int]error{}, step: func(int) {
				if steps++; steps == 10 {
					folder, err := s.Folder()
					if err := errors.Join(err, c.spoil(folder)); err != nil {
						t.Error(err)
					}
					cancel()
				}
			}}
			err := s.Run(ctx, seen)
			why, stopped := seen.stopped[c.step]
			if len(seen.stopped) != 1 || !stopped || seen.told != 1 {
				t.Errorf("stopped runs %v, want one at step %d; said %d times that the study stops", seen.stopped, c.step, seen.told)
			}
			if c.says == "" {
				if !errors.Is(err, ErrStopped) || why != nil {
					t.Errorf("the study %v, the run %v", err, why)
				}
				return
			}
			for _, err := range []error{err, why} {
				if err == nil || errors.Is(err, ErrStopped) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("want an error with %q, got %v", c.says, err)
				}
			}
		})
	}
}

// The check of the runs that are there ends with the context, before any is trained.
func TestCheckIsInterrupted(t *testing.T) {
	s := smallStudy(t.TempDir())
	runStudy(t, s)
	jobs, err := s.Jobs()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if left, _, err := s.left(ctx, jobs); !errors.Is(err, context.Canceled) {
		t.Errorf("%d runs are left, %v", len(left), err)
	}
	if err := s.sameTuning(ctx, jobs); !errors.Is(err, context.Canceled) {
		t.Errorf("tunings: %v", err)
	}
	release, err := s.Hold(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Run(ctx, nil), release()); !errors.Is(err, ErrStopped) {
		t.Errorf("the study: %v", err)
	}
}

// An observer is told how much there is to do.
func TestExtent(t *testing.T) {
	s := smallStudy(t.TempDir())
	s.Seeds = []int{0}
	runStudy(t, s)
	s.Seeds = []int{0, 1}
	seen := &keptSteps{step: func(int) {}}
	if err := s.Run(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
	// 1437 pictures in batches of 64 for 3 epochs.
	if e := seen.extent; len(e.Jobs) != 4 || e.Ended != 2 || e.Done != 2*69 || e.Steps != 4*69 {
		t.Errorf("%d jobs, %d ended, %d of %d steps", len(e.Jobs), e.Ended, e.Done, e.Steps)
	}
	s.Out, s.Limit = t.TempDir(), 1<<20
	if err := s.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "1437 training pictures") {
		t.Errorf("a limit above the number of pictures: %v", err)
	}
}

// A study and its runs may be links to other folders.
func TestStudyInLinkedFolders(t *testing.T) {
	want := runStudy(t, smallStudy(t.TempDir()))
	folder, elsewhere := t.TempDir(), t.TempDir()
	for link, to := range map[string]string{filepath.Join(folder, "link"): elsewhere, filepath.Join(elsewhere, "digits"): t.TempDir()} {
		if err := os.Symlink(to, link); err != nil {
			t.Skip(err)
		}
	}
	s := smallStudy(filepath.Join(folder, "link"))
	if err := s.Run(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	runs, err := filepath.EvalSymlinks(filepath.Join(elsewhere, "digits"))
	if err == nil {
		err = os.Remove(filepath.Join(elsewhere, "digits"))
	}
	if err != nil {
		t.Fatal(err)
	}
	got := readStudy(t, elsewhere)
	for name, content := range readStudy(t, runs) {
		got[filepath.Join("digits", name)] = content
	}
	compareStudies(t, got, want)
	if err := os.Symlink("nowhere", filepath.Join(folder, "dangling")); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{"dangling", "dangling/sub"} {
		s.Out = filepath.Join(folder, out)
		if err := s.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "dangling is a symbolic link to nowhere, which does not exist") {
			t.Errorf("%s: %v", out, err)
		}
	}
}

// A rerun repairs study.json, sweeps what a killed process left, also of runs that have
// ended, and trains nothing again.
func TestRerunRepairs(t *testing.T) {
	s := smallStudy(t.TempDir())
	want := runStudy(t, s)
	for _, name := range []string{"study.json", ".study.json-12", "digits/adamw/seed-00/.epochs.jsonl-791051156"} {
		if err := os.WriteFile(filepath.Join(s.Out, name), []byte("{"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	seen := &keptSteps{step: func(int) {}}
	if err := s.Run(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
	compareStudies(t, readStudy(t, s.Out), want)
	if seen.runs != 0 {
		t.Errorf("%d runs were trained again", seen.runs)
	}
}

// A folder in which a study cannot be is refused before anything is trained or made.
func TestStudyRefusesFolders(t *testing.T) {
	outer := smallStudy(t.TempDir())
	outer.Seeds = []int{0}
	runStudy(t, outer)
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "metrics.csv"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	for out, says := range map[string]string{
		filepath.Join(outer.Out, "new"): "is inside the study " + outer.Out,
		filepath.Dir(outer.Out):         "holds another study, " + outer.Out,
		foreign:                         "would replace (metrics.csv)",
	} {
		s := smallStudy(out)
		seen := &keptSteps{step: func(int) {}}
		if err := s.Run(t.Context(), seen); err == nil || !strings.Contains(err.Error(), says) || seen.runs > 0 {
			t.Errorf("%s: %v after %d runs, want an error with %q and none", out, err, seen.runs, says)
		}
		if _, err := os.Stat(filepath.Join(out, ".lock")); err == nil && out != outer.Out {
			t.Errorf("%s has a lock file now", out)
		}
	}
	s := smallStudy(foreign)
	s.Force, s.Seeds = true, []int{0}
	runStudy(t, s)
}

// Every key of an optimizer set is a study like any other.
func TestLongSpec(t *testing.T) {
	s := smallStudy(t.TempDir())
	s.Seeds, s.Epochs = []int{0}, 1
	s.Optimizers = rules("diaghess:lr=1.0000001e-6,schedule=step,warmup=0.12345678,step-every=12.345678,step-factor=0.12345678,curvature=gnb,every=10,samples=2," +
		"decay=0.99000001,beta1=0.91234567,beta2=0.99912345,eps=1.2345678e-7,lambda=0.0012345678,diff=0.25123456,square=9.1234567")
	if n := len(optim.Spec(s.Optimizers[0])); n < 200 {
		t.Fatalf("a spec of %d bytes", n)
	}
	if _, err := s.Jobs(); err != nil {
		t.Fatal(err)
	}
	runStudy(t, s)
}
