package tune

import (
	"context"
	"diaghess/train"
	"diaghess/train/record"
	"diaghess/train/report"
	"diaghess/train/study"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRadicalInverse holds the first points of the van der Corput sequences of
// bases 2 and 3, which every text on the Halton sequence lists: Halton 1960.
func TestRadicalInverse(t *testing.T) {
	for base, want := range map[int][]float64{
		2: {1. / 2, 1. / 4, 3. / 4, 1. / 8, 5. / 8, 3. / 8, 7. / 8},
		3: {1. / 3, 2. / 3, 1. / 9, 4. / 9, 7. / 9, 2. / 9, 5. / 9},
	} {
		for i, w := range want {
			// Sums of at most 3 numbers below 1: 3 roundings of half an ulp each.
			if got := radicalInverse(i+1, base); math.Abs(got-w) > 3*0x1p-53 {
				t.Errorf("point %d in base %d is %v, want %v", i+1, base, got, w)
			}
		}
	}
}

// TestHaltonIsEvenlySpread counts: of any base^k points in a row, each interval
// of length base^-k of that base's coordinate holds one; of any 6, each box of
// halves by thirds holds one.
func TestHaltonIsEvenlySpread(t *testing.T) {
	for i, base := range primes() {
		for count := base; count < 400; count *= base {
			var cells []int
			for point := 1; point <= count; point++ {
				// The middle of a cell's points is half a cell of the next digit
				// from its end, far above rounding.
				cells = append(cells, int(halton(point, primes())[i]*float64(count)+1e-9))
			}
			slices.Sort(cells)
			for cell, got := range cells {
				if cell != got {
					t.Fatalf("base %d, %d points: cells %v", base, count, cells)
				}
			}
		}
	}
	boxes := map[[2]int]int{}
	for point := 1; point <= 6; point++ {
		p := halton(point, primes()[:2])
		boxes[[2]int{int(p[0]*2 + 1e-9), int(p[1]*3 + 1e-9)}]++
	}
	if len(boxes) != 6 {
		t.Errorf("6 points are in the boxes %v", boxes)
	}
}

func TestParseSpace(t *testing.T) {
	space, err := ParseSpace("lr=1e-5..1e-1 log; sgd: lr=0.001..1 log, momentum=0..0.99")
	if err != nil {
		t.Fatal(err)
	}
	lr := record.Dimension{Key: "lr", Low: 1e-5, High: 0.1, Log: true}
	if got := space[""]; !slices.Equal(got, []record.Dimension{lr}) {
		t.Errorf("for all: %v", got)
	}
	if got := space["sgd"]; !slices.Equal(got, []record.Dimension{{Key: "lr", Low: 0.001, High: 1, Log: true}, {Key: "momentum", Low: 0, High: 0.99, Log: false}}) {
		t.Errorf("sgd: %v", got)
	}
	// Halves of a range, in the logarithm or not.
	if got := at(lr, 0.5); got != "0.001" {
		t.Errorf("the middle of %v is %s", lr, got)
	}
	if got := at(space["sgd"][1], 0.5); got != "0.495" {
		t.Errorf("the middle of %v is %s", space["sgd"][1], got)
	}
	for text, want := range map[string]string{
		"lr":                  "not of the form",
		"lr=1":                "not of the form",
		"lr=a..b":             "not of the form",
		"lr=1..NaN":           "not of the form",
		"lr=1..0.1 log":       "must be below",
		"lr=0..1 log":         "above 0",
		"x: lr=0.1..1":        "unknown optimizer",
		"lr=0.1..1,lr=0.1..2": "twice",
		"lr=0.1..1;lr=0.1..2": "two parts",
	} {
		if _, err := ParseSpace(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("space %q: want an error with %q, got %v", text, want, err)
		}
	}
}

func TestDefaultSpace(t *testing.T) {
	for spec, want := range map[string][]record.Dimension{
		"adamw":                {{Key: "lr", Low: 1e-5, High: 0.1, Log: true}, {Key: "weight-decay", Low: 5e-6, High: 0.05, Log: true}},
		"adam":                 {{Key: "lr", Low: 1e-5, High: 0.1, Log: true}},
		"sgd":                  {{Key: "lr", Low: 1e-4, High: 1, Log: true}, {Key: "weight-decay", Low: 1e-6, High: 0.01, Log: true}},
		"adamw:weight-decay=0": {{Key: "lr", Low: 1e-5, High: 0.1, Log: true}},
	} {
		if got, err := (Space{}).of(spec); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", spec, got, err, want)
		}
	}
}

func TestMoreTrialsBeginWithTheSame(t *testing.T) {
	dimensions, err := Space{}.of("adamw:beta1=0.8")
	if err != nil {
		t.Fatal(err)
	}
	few, err := draw("adamw:beta1=0.8", dimensions, 5)
	if err != nil {
		t.Fatal(err)
	}
	many, err := draw("adamw:beta1=0.8", dimensions, 20)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(few, many[:5]) {
		t.Errorf("5 trials are %q, the first of 20 %q", few, many[:5])
	}
	for _, spec := range many {
		if set := settingsOf(spec); set["beta1"] != "0.8" || set["lr"] == "" || set["weight-decay"] == "" {
			t.Errorf("trial %s", spec)
		}
	}
}

// smallTuning is 2 optimizers x 3 trials of the MLP on digits.
func smallTuning(out string) *Tuning {
	s := smallStudy(out)
	s.Optimizers, s.Seeds = []string{"adamw", "sgd"}, []int{FirstSeed}
	s.Protocol, s.Epochs = record.ProtocolHoldout, 2
	return &Tuning{Study: *s, Trials: 3, Metric: Metrics()[0]}
}

func runTuning(t *testing.T, tuning *Tuning) (*record.Tuned, []byte) {
	t.Helper()
	tuned, path, err := tuning.Run(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return tuned, content
}

func TestInterruptedTuningGoesOnToTheSameBytes(t *testing.T) {
	_, want := runTuning(t, smallTuning(t.TempDir()))
	tuning := smallTuning(t.TempDir())
	tuning.Parallel = 1
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, _, err := tuning.Run(ctx, &stopper{steps: 100, stop: cancel}); !errors.Is(err, study.ErrStopped) {
		t.Fatalf("an interrupted tuning returned %v", err)
	}
	if _, err := os.Stat(filepath.Join(tuning.Out, record.TunedFile)); err == nil {
		t.Fatal("an interrupted tuning has a result")
	}
	if _, got := runTuning(t, tuning); string(got) != string(want) {
		t.Errorf("the result is\n%s\nwant\n%s", got, want)
	}
}

func TestTuningGivesEveryOptimizerTheSameBudget(t *testing.T) {
	tuning := smallTuning(t.TempDir())
	tuning.Seeds = []int{FirstSeed, FirstSeed + 1}
	tuned, _ := runTuning(t, tuning)
	for _, o := range tuned.Optimizers {
		if len(o.Trials) != 3 || o.Best != o.Trials[o.BestTrial-1].Spec {
			t.Errorf("%+v", o)
		}
		for _, trial := range o.Trials {
			var loss, accuracy float64
			for _, seed := range tuning.Seeds {
				r := record.RunOf(filepath.Join(tuning.Out, "trials"), record.Job{Settings: tuning.Settings, Dataset: "digits", Optimizer: trial.Spec, Seed: seed})
				f, ended, err := r.Final()
				if err != nil || !ended || f.Epochs != tuning.Epochs || f.Test != nil {
					t.Fatalf("%s: %+v, %v: want %d epochs and no look at the test set", r.Folder, f, err, tuning.Epochs)
				}
				loss += f.ValLoss / 2
				accuracy += f.ValAcc / 2
			}
			if trial.Score.ValLoss != loss || trial.Score.ValAcc != accuracy {
				t.Errorf("%s has %+v, the mean of its runs is %v and %v", trial.Spec, *trial.Score, loss, accuracy)
			}
			if best := o.Trials[o.BestTrial-1].Score; trial.Score.ValAcc > best.ValAcc {
				t.Errorf("%s is better than the best, %s", trial.Spec, o.Best)
			}
		}
	}
}

func TestRungs(t *testing.T) {
	for _, c := range []struct {
		trials, epochs, halving int
		want                    []record.Rung
	}{
		{16, 50, 0, []record.Rung{{Epochs: 50, Trials: 16}}},
		{27, 27, 3, []record.Rung{{Epochs: 1, Trials: 27}, {Epochs: 3, Trials: 9}, {Epochs: 9, Trials: 3}, {Epochs: 27, Trials: 1}}},
		{16, 40, 4, []record.Rung{{Epochs: 3, Trials: 16}, {Epochs: 10, Trials: 4}, {Epochs: 40, Trials: 1}}},
		{5, 10, 2, []record.Rung{{Epochs: 3, Trials: 5}, {Epochs: 5, Trials: 3}, {Epochs: 10, Trials: 2}}},   // few trials
		{64, 3, 2, []record.Rung{{Epochs: 1, Trials: 64}, {Epochs: 2, Trials: 32}, {Epochs: 3, Trials: 16}}}, // few epochs
	} {
		tuning := &Tuning{Trials: c.trials, Halving: c.halving}
		tuning.Epochs = c.epochs
		if got := tuning.rungs(); !slices.Equal(got, c.want) {
			t.Errorf("%d trials, %d epochs, halving %d: %v, want %v", c.trials, c.epochs, c.halving, got, c.want)
		}
	}
}

// halvingTuning is 2 optimizers x 4 trials of 4 epochs: after 1 epoch 2 trials go on,
// after 2 one.
func halvingTuning(out string) *Tuning {
	tuning := smallTuning(out)
	tuning.Trials, tuning.Epochs, tuning.Halving = 4, 4, 2
	return tuning
}

// Halving stops the worse trials where it should, and those that it does not stop are
// the runs, to the bit, that they are without it.
func TestHalving(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	tuning, whole := halvingTuning(t.TempDir()), halvingTuning(t.TempDir())
	whole.Halving = 0
	halved, _ := runTuning(t, tuning)
	all, _ := runTuning(t, whole)
	for i, o := range halved.Optimizers {
		var epochs []int
		for j, trial := range o.Trials {
			epochs = append(epochs, trial.Epochs)
			want := all.Optimizers[i].Trials[j]
			if finished := trial.Epochs == 4; finished != (trial.Status == record.Finished) || finished != (j+1 == o.BestTrial) ||
				finished && *trial.Score != *want.Score {
				t.Errorf("%s: %+v, score %+v; without halving %+v", trial.Spec, trial, *trial.Score, *want.Score)
			}
			r, complete := tuning.recordOf(&trial, FirstSeed), whole.recordOf(&trial, FirstSeed)
			got, err := r.Epochs()
			if err != nil || len(got) != trial.Epochs {
				t.Errorf("%s: %d epochs, %v: want %d", trial.Spec, len(got), err, trial.Epochs)
			}
			ran, err := complete.Epochs()
			if err != nil {
				t.Fatal(err)
			}
			for k, e := range got {
				if e.TrainLoss != ran[k].TrainLoss || e.ValLoss != ran[k].ValLoss {
					t.Errorf("%s: epoch %d: %+v, without halving %+v", trial.Spec, k+1, e, ran[k])
				}
			}
			if _, err := os.Stat(r.Folder + "/checkpoint"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: its checkpoint is still there: %v", trial.Spec, err)
			}
			// Those that went on were the best so far.
			for _, other := range o.Trials {
				if other.Epochs > trial.Epochs && trial.Epochs == 1 && other.First.ValAcc < trial.First.ValAcc {
					t.Errorf("%s went on and %s, which was better, did not", other.Spec, trial.Spec)
				}
			}
		}
		slices.Sort(epochs)
		if !slices.Equal(epochs, []int{1, 1, 2, 4}) {
			t.Errorf("%s: trials of %v epochs", o.Optimizer, epochs)
		}
	}
}

func TestInterruptedHalvingGoesOnToTheSameBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	_, want := runTuning(t, halvingTuning(t.TempDir()))
	for _, steps := range []int{30, 240} { // in the first stage and in the last
		tuning := halvingTuning(t.TempDir())
		tuning.Parallel = 1
		ctx, cancel := context.WithCancel(t.Context())
		if _, _, err := tuning.Run(ctx, &stopper{steps: steps, stop: cancel}); !errors.Is(err, study.ErrStopped) {
			t.Fatalf("an interrupted tuning returned %v", err)
		}
		cancel()
		if _, got := runTuning(t, tuning); string(got) != string(want) {
			t.Errorf("stopped after %d steps, the result is\n%s\nwant\n%s", steps, got, want)
		}
	}
}

// A trial that diverges in a later stage has its score in an earlier one, so that a tuning
// that goes on sends the same trials on.
func TestTrialThatDivergedLater(t *testing.T) {
	tuning := halvingTuning(t.TempDir())
	trial := record.Trial{Spec: "adamw"}
	r := tuning.recordOf(&trial, FirstSeed)
	if err := os.MkdirAll(r.Folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteEpochs([]record.Epoch{{Epoch: 1, ValAcc: 0.5}, {Epoch: 2, ValAcc: 0.6}}); err != nil {
		t.Fatal(err)
	}
	if err := r.Finish(record.Final{Status: record.Diverged}); err != nil {
		t.Fatal(err)
	}
	if err := tuning.read(&trial, 2); err != nil || trial.Score == nil || trial.Score.ValAcc != 0.6 {
		t.Errorf("after 2 epochs: %+v, %v", trial, err)
	}
	if err := tuning.read(&trial, 4); err != nil || trial.Score != nil || trial.Status != record.Diverged {
		t.Errorf("after 4 epochs: %+v, %v", trial, err)
	}
}

func TestTrialsAreRanked(t *testing.T) {
	diverged := record.Trial{Trial: 1, Status: record.Diverged}
	early := record.Trial{Trial: 5, Status: record.Stopped, Score: &record.TrialScore{ValLoss: 0.05, ValAcc: 0.99, F1: 0.99}}
	low := record.Trial{Trial: 2, Score: &record.TrialScore{ValLoss: 0.1, ValAcc: 0.8, F1: 0.9}}
	tied := record.Trial{Trial: 3, Score: &record.TrialScore{ValLoss: 0.3, ValAcc: 0.9, F1: 0.7}}
	best := record.Trial{Trial: 4, Score: &record.TrialScore{ValLoss: 0.2, ValAcc: 0.9, F1: 0.8}}
	for metric, want := range map[string][]int{"val_acc": {4, 3, 2, 5, 1}, "val_loss": {2, 4, 3, 5, 1}, "f1": {2, 4, 3, 5, 1}} {
		trials := []record.Trial{diverged, early, low, tied, best}
		slices.SortFunc(trials, (&Tuning{Metric: metric}).rank)
		for i, trial := range trials {
			if trial.Trial != want[i] {
				t.Errorf("by %s place %d is of trial %d, want %d", metric, i+1, trial.Trial, want[i])
			}
		}
	}
}

func TestTuningIsChecked(t *testing.T) {
	for want, change := range map[string]func(*Tuning){
		"tuning seeds begin at 1000000": func(t *Tuning) { t.Seeds = []int{0} },
		"protocol pilot":                func(t *Tuning) { t.Protocol = record.ProtocolPilot },
		"2 datasets":                    func(t *Tuning) { t.Datasets = []string{"digits", "mnist"} },
		"0 trials":                      func(t *Tuning) { t.Trials = 0 },
		"halving by 1":                  func(t *Tuning) { t.Halving = 1 },
		"of epochs, 2":                  func(t *Tuning) { t.Halving = 3 },
		"unknown metric":                func(t *Tuning) { t.Metric = "x" },
		"at least one optimizer":        func(t *Tuning) { t.Optimizers = nil },
		"unknown optimizer":             func(t *Tuning) { t.Optimizers = []string{"x"} },
		"nothing is left":               func(t *Tuning) { t.Optimizers = []string{"adam:lr=1"} },
		"is set in adam:lr=1": func(t *Tuning) {
			t.Optimizers, t.Space = []string{"adam:lr=1"}, Space{"": {{Key: "lr", Low: 1, High: 2, Log: true}}}
		},
		"not among the optimizers": func(t *Tuning) { t.Space = Space{"adam": {{Key: "lr", Low: 1, High: 2, Log: true}}} },
		"no key \"x\"":             func(t *Tuning) { t.Space = Space{"": {{Key: "x", Low: 1, High: 2, Log: true}}} },
		"in the study twice":       func(t *Tuning) { t.Optimizers = []string{"adamw", "adamw"} },
		"widen the space":          func(t *Tuning) { t.Space = Space{"": {{Key: "lr", Low: 1, High: 1.00001, Log: true}}} },
		"every one of the 3 trials of sgd diverged": func(t *Tuning) {
			t.Space = Space{"sgd": {{Key: "lr", Low: 1e20, High: 1e30, Log: true}}}
		},
	} {
		tuning := smallTuning(t.TempDir())
		change(tuning)
		if _, _, err := tuning.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestStudyOfTunedOptimizers(t *testing.T) {
	tuning := smallTuning(t.TempDir())
	tuned, _ := runTuning(t, tuning)
	read, err := record.ReadTuned(filepath.Join(tuning.Out, record.TunedFile))
	if err != nil {
		t.Fatal(err)
	}
	s := smallStudy(t.TempDir())
	s.Seeds, s.Epochs = []int{FirstSeed}, 2
	if err := s.Use(read); err == nil || !strings.Contains(err.Error(), "tuned on") {
		t.Errorf("a study of a tuning seed: %v", err)
	}
	s.Seeds = []int{0}
	if err := s.Use(read); err != nil {
		t.Fatal(err)
	}
	if want := []string{tuned.Optimizers[0].Best, tuned.Optimizers[1].Best}; !slices.Equal(s.Optimizers, want) {
		t.Fatalf("optimizers %q, want %q", s.Optimizers, want)
	}
	if got := s.Differences(read); len(got) != 1 || !strings.Contains(got[0], "protocol holdout and the study has pilot") {
		t.Errorf("differences %q", got)
	}
	if err := s.Run(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for _, arm := range s.Optimizers {
		config, there, err := record.RunOf(s.Out, record.Job{Settings: s.Settings, Dataset: "digits", Optimizer: arm}).Config()
		if !there || err != nil || config.TuningTrials != 3 {
			t.Errorf("%s: config %+v, %v: want 3 tuning trials", arm, config, err)
		}
	}
	rows, err := report.ReadFolder(s.Out)
	if err != nil {
		t.Fatal(err)
	}
	analysis, err := report.Compare(rows, s.Optimizers[0])
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := report.Render(&text, analysis, report.Markdown); err != nil || !strings.Contains(text.String(), "Sensitivity to the learning rate") {
		t.Errorf("the report does not show the tuning:\n%s", text.String())
	}
}

// smallStudy is of the MLP on digits: a second or so.
func smallStudy(out string) *study.Study {
	s := &study.Study{Settings: train.DefaultSettings(), Datasets: []string{"digits"}, Optimizers: []string{"adamw", "diaghess"}, Seeds: []int{0, 1}, Out: out, Device: "cpu", Library: "gonum"}
	s.Model, s.Epochs = "mlp", 3
	return s
}

// stopper ends a context after some steps.
type stopper struct {
	study.Silent
	steps int
	stop  func()
}

func (s *stopper) Run(record.Job, record.Config, int, int) study.RunObserver { return s }

func (s *stopper) Step(int) {
	if s.steps--; s.steps == 0 {
		s.stop()
	}
}
