package study

import (
	"context"
	"diaghess/optim"
	"diaghess/train"
	"diaghess/train/record"
	"diaghess/train/report"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// smallStudy is 2 arms x 2 seeds of the MLP on digits: a second or so.
func smallStudy(out string) *Study {
	s := &Study{
		Settings: train.DefaultSettings(), Datasets: []string{"digits"}, Optimizers: rules("adamw,diaghess"),
		Seeds: []int{0, 1}, Out: out, Device: "cpu", Library: "gonum",
	}
	s.Model, s.Epochs = "mlp", 3
	return s
}

// rules parses a list of specs that is right.
func rules(list string) []optim.Rule {
	rules, err := optim.ParseList(list)
	if err != nil {
		panic(err)
	}
	return rules
}

// readStudy returns the files of a study's records by path, without the times:
// what two studies of the same bits have in common.
func readStudy(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == record.LedgerFolder {
			return filepath.SkipDir // it has times in every line
		}
		if err != nil || entry.IsDir() || entry.Name() == ".lock" {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(content)) {
			if strings.HasSuffix(name, "jsonl") {
				line = withoutTimes(t, line)
			}
			files[name] += line
		}
		if strings.HasSuffix(name, ".json") {
			files[name] = withoutTimes(t, string(content))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func withoutTimes(t *testing.T, text string) string {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	delete(v, "seconds")
	delete(v, "step_parts")
	delete(v, "train_time")
	delete(v, "machine") // names the number of threads
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out) + "\n"
}

func compareStudies(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name, content := range want {
		if got[name] != content {
			t.Errorf("%s is\n%s\nwant\n%s", name, got[name], content)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s should not be there", name)
		}
	}
}

func runStudy(t *testing.T, s *Study) map[string]string {
	t.Helper()
	if err := s.Run(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return readStudy(t, s.Out)
}

func TestStudyBitsDoNotDependOnThreadsOrNeighbours(t *testing.T) {
	one := smallStudy(t.TempDir())
	one.Parallel, one.Threads = 1, 1
	want := runStudy(t, one)
	if len(want) != 4*3+1 {
		t.Fatalf("%d files in the records of 4 runs, want 3 each and study.json", len(want))
	}
	many := smallStudy(t.TempDir())
	many.Parallel, many.Threads = 3, 2
	compareStudies(t, runStudy(t, many), want)
}

// stopper ends a context after some steps of the study.
type stopper struct {
	Silent
	steps int
	stop  func()
}

func (s *stopper) Run(record.Job, record.Config, int, int) RunObserver { return s }

func (s *stopper) Step(int) {
	if s.steps--; s.steps == 0 {
		s.stop()
	}
}

func TestInterruptedStudyGoesOnWithTheSameBits(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	want := runStudy(t, smallStudy(t.TempDir()))
	// An epoch has 23 steps: within one, at the end of one, in the last run.
	for _, steps := range []int{1, 10, 23, 24, 100, 270} {
		t.Run(fmt.Sprint(steps), func(t *testing.T) {
			s := smallStudy(t.TempDir())
			s.Parallel = 1
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := s.Run(ctx, &stopper{steps: steps, stop: cancel})
			if !errors.Is(err, ErrStopped) {
				t.Fatalf("an interrupted study returned %v", err)
			}
			compareStudies(t, runStudy(t, s), want)
		})
	}
}

// TestKilledStudyGoesOnWithTheSameBits kills the process of a study with
// SIGKILL, again and again, until it comes to its end.
func TestKilledStudyGoesOnWithTheSameBits(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	const variable = "DIAGHESS_TEST_STUDY"
	study := func(out string) *Study {
		s := smallStudy(out)
		s.Epochs, s.checkpointEvery = 10, time.Millisecond
		// Then a checkpoint holds all that one can.
		s.Protocol, s.Endpoint, s.Average = record.ProtocolHoldout, record.EndpointBest, "ema=0.9"
		return s
	}
	if out := os.Getenv(variable); out != "" {
		if err := study(out).Run(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := runStudy(t, study(t.TempDir()))
	out := t.TempDir()
	kills := 0
	for try := 0; ; try++ {
		if try == 200 {
			t.Fatal("the study did not come to its end in 200 tries")
		}
		command := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
		command.Env = append(os.Environ(), variable+"="+out)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		// The time grows so that slow machines get there too.
		timer := time.AfterFunc(time.Duration(100+20*try)*time.Millisecond, func() { command.Process.Kill() })
		err := command.Wait()
		timer.Stop()
		if err == nil {
			break
		}
		kills++
	}
	if kills == 0 {
		t.Skip("the study ended before it could be killed")
	}
	t.Logf("killed %d times", kills)
	compareStudies(t, readStudy(t, out), want)
}

func TestDivergedRunIsAnOutcome(t *testing.T) {
	s := smallStudy(t.TempDir())
	s.Optimizers = rules("adamw,sgd:lr=1e30")
	s.Seeds = []int{0}
	runStudy(t, s)
	rows, err := report.ReadFolder(s.Out)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || rows[0].Status != record.Finished || rows[1].Status != record.Diverged {
		t.Fatalf("rows %+v", rows)
	}
	if !strings.Contains(rows[1].Note, "not finite at step 2 of 69") {
		t.Errorf("note %q does not say when: the first step of such a rate leaves the second without a finite loss", rows[1].Note)
	}
}

func TestStudyIsNotMixedWithOtherSettings(t *testing.T) {
	s := smallStudy(t.TempDir())
	s.Seeds = []int{0}
	runStudy(t, s)
	s.Epochs = 4
	err := s.Run(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "epochs was 3 and is 4") {
		t.Fatalf("a study of other settings in the same folder: %v", err)
	}
}

func TestStudyIsExtended(t *testing.T) {
	s := smallStudy(t.TempDir())
	s.Seeds = []int{0}
	runStudy(t, s)
	s.Seeds = []int{0, 1}
	compareStudies(t, runStudy(t, s), runStudy(t, smallStudy(t.TempDir())))
}

func TestStudyIsLocked(t *testing.T) {
	s := smallStudy(t.TempDir())
	lock, err := Lock(t.Context(), s.Out)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := s.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Fatalf("a study in a locked folder: %v", err)
	}
}

func TestDamagedCheckpointIsNotRead(t *testing.T) {
	s := smallStudy(t.TempDir())
	s.Parallel = 1
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := s.Run(ctx, &stopper{steps: 10, stop: cancel}); !errors.Is(err, ErrStopped) {
		t.Fatal(err)
	}
	path := filepath.Join(s.Out, "digits", "adamw", "seed-00", "checkpoint")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{
		"truncated": content[:len(content)/2],
		"empty":     nil,
		"one bit":   append(append([]byte(nil), content[:1000]...), append([]byte{content[1000] ^ 1}, content[1001:]...)...),
	} {
		if err := os.WriteFile(path, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := s.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s checkpoint: %v", name, err)
		}
	}
}

// A checkpoint that was copied from another run is not gone on from.
func TestCheckpointOfAnotherRunIsNotRead(t *testing.T) {
	checkpointOf := func(change func(*Study)) (s *Study, path string) {
		s = smallStudy(t.TempDir())
		s.Parallel, s.Optimizers, s.Seeds = 1, rules("adamw"), []int{0}
		change(s)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if err := s.Run(ctx, &stopper{steps: 10, stop: cancel}); !errors.Is(err, ErrStopped) {
			t.Fatal(err)
		}
		folder, err := s.Folder()
		if err != nil {
			t.Fatal(err)
		}
		return s, filepath.Join(folder, "checkpoint")
	}
	s, path := checkpointOf(func(*Study) {})
	for want, change := range map[string]func(*Study){
		"of another run (seed was 1 and is 0)":    func(s *Study) { s.Seeds = []int{1} },
		"of another run (lr of the optimizer was": func(s *Study) { s.Optimizers = rules("adamw:lr=0.01") },
	} {
		_, other := checkpointOf(change)
		content, err := os.ReadFile(other)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := s.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), path+" is "+want) {
			t.Errorf("want an error with the file and %q, got %v", want, err)
		}
		all := events(t, s)
		if last := all[len(all)-1]; last.Event != record.RunFailed || !strings.Contains(last.Why, want) || last.Run != "digits/adamw/seed-00" {
			t.Errorf("the ledger ends with %+v, want why the run could not go on: %q", last, want)
		}
	}
}

// A study does not begin beside records that its report would refuse, and lists all of them.
// study.json it writes anew.
func TestStudyOfWrongRecords(t *testing.T) {
	s := smallStudy(t.TempDir())
	s.Epochs = 1
	runStudy(t, s)
	if err := os.WriteFile(filepath.Join(s.Out, record.StudyFile), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context(), nil); err != nil {
		t.Fatalf("a damaged %s: %v", record.StudyFile, err)
	}
	folder := filepath.Join(s.Out, "digits", "adamw")
	if err := errors.Join(os.Remove(filepath.Join(folder, "seed-00", "config.json")), os.Remove(filepath.Join(folder, "seed-01", "epochs.jsonl"))); err != nil {
		t.Fatal(err)
	}
	err := s.Run(t.Context(), nil)
	for _, want := range []string{"config.json is missing", "epochs.jsonl is missing", "delete that folder"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	// What the message says to do.
	if err := errors.Join(os.RemoveAll(filepath.Join(folder, "seed-00")), os.RemoveAll(filepath.Join(folder, "seed-01"))); err != nil {
		t.Fatal(err)
	}
	runStudy(t, s)
}

func TestHoldoutTouchesTheTestSetOnce(t *testing.T) {
	s := smallStudy(t.TempDir())
	s.Protocol, s.Seeds = record.ProtocolHoldout, []int{0}
	runStudy(t, s)
	r := record.RunOf(s.Out, record.Job{Settings: s.Settings, Dataset: "digits", Optimizer: "adamw"})
	f, ok, err := r.Final()
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if f.Test == nil || f.Test.Acc == f.ValAcc {
		t.Errorf("final %+v: test and validation are of different pictures", f)
	}
	rows, err := report.ReadFolder(s.Out)
	if err != nil {
		t.Fatal(err)
	}
	if rows[0].ValAcc != f.Test.Acc {
		t.Errorf("the table shows accuracy %v, want that of the test set, %v", rows[0].ValAcc, f.Test.Acc)
	}
}

func TestJobsAreChecked(t *testing.T) {
	for name, change := range map[string]func(*Study){
		`there is no dataset "x"`:                  func(s *Study) { s.Datasets = []string{"x"} },
		"unknown model":                            func(s *Study) { s.Model = "x" },
		"unknown protocol":                         func(s *Study) { s.Protocol = "x" },
		"unknown augmentation":                     func(s *Study) { s.Augment = "x" },
		"in the study twice":                       func(s *Study) { s.Optimizers = append(rules("adam"), rules("adam:lr=0.001")...) },
		"is in the study twice":                    func(s *Study) { s.Seeds = []int{1, 1} },
		"at least one":                             func(s *Study) { s.Seeds = nil },
		"0 epochs":                                 func(s *Study) { s.Epochs = 0 },
		"seed -1":                                  func(s *Study) { s.Seeds = []int{-1} },
		"adamw: a warm-up of 3 epochs is longer":   func(s *Study) { s.Epochs, s.Optimizers = 2, rules("sgd,adamw:warmup=3") },
		"sgd: a warm-up of 1e+30 epochs is longer": func(s *Study) { s.Optimizers = rules("adamw,sgd:warmup=1e30") },
		"curvature ggn-exact is for networks without convolutions":   func(s *Study) { s.Model, s.Optimizers = "plaincnn", rules("sgd,diaghess:curvature=ggn-exact") },
		"muon: the network has no hidden layer":                      func(s *Study) { s.Model, s.Optimizers = "mlp:layers=1", rules("adamw,muon") },
		"last batch of 1, which the batch normalization of smallcnn": func(s *Study) { s.Model, s.Batch, s.Limit = "smallcnn", 64, 65 },
		"the batch normalization of smallcnn needs at least 2":       func(s *Study) { s.Model, s.Batch, s.Limit = "smallcnn", 1, 65 },
		"digits has 1437 training pictures":                          func(s *Study) { s.Limit = math.MaxInt },
		"epochs: train for 1 to 100000":                              func(s *Study) { s.Epochs = math.MaxInt },
		"pictures: give 1 to 65535":                                  func(s *Study) { s.Batch = math.MaxInt },
		"a run has at most 20000000; choose fewer --epochs":          func(s *Study) { s.Batch, s.Limit, s.Epochs = 1, 0, 100_000 },
		"a study has at most 100000":                                 func(s *Study) { s.Seeds = make([]int, 100_000) },
	} {
		s := smallStudy(t.TempDir())
		change(s)
		if _, err := s.Jobs(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want an error with %q, got %v", name, err)
		}
	}
}
