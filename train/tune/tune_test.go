package tune

import (
	"context"
	"diaghess/optim"
	"diaghess/train"
	"diaghess/train/record"
	"diaghess/train/report"
	"diaghess/train/study"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func parsed(t *testing.T, spec string) optim.Rule {
	t.Helper()
	rule, err := optim.Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	return rule
}

// smallTuning is 2 optimizers x 3 trials of the MLP on digits.
func smallTuning(out string) *Tuning {
	s := smallStudy(out)
	s.Seeds = []int{FirstSeed}
	s.Protocol, s.Epochs = record.ProtocolHoldout, 2
	return &Tuning{Study: *s, Specs: []string{"adamw", "sgd"}, Trials: 3, Metric: record.DefaultMetric}
}

// smallRates is a space in which no trial diverges.
func smallRates() Space { return Space{"": {{Key: "lr", Low: 1e-4, High: 1e-2, Log: true}}} }

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
	tuning.Seeds, tuning.Repeats, tuning.Space = []int{FirstSeed, FirstSeed + 1}, 2, smallRates()
	tuned, _ := runTuning(t, tuning)
	if n := len(tuned.Optimizers); n != 4 {
		t.Errorf("%d results of 2 optimizers in 2 tunings", n)
	}
	for _, o := range tuned.Optimizers {
		if len(o.Trials) != 3 || o.Best != o.Trials[o.BestTrial-1].Spec {
			t.Errorf("%+v", o)
		}
		for _, trial := range o.Trials {
			var loss, accuracy float64
			for _, seed := range record.TuningSeeds(tuning.Seeds, o.Tuning) {
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

// halvingTuning is 2 optimizers x 4 trials of 4 epochs: after 1 epoch 2 trials go on,
// after 2 one.
func halvingTuning(out string) *Tuning {
	tuning := smallTuning(out)
	tuning.Trials, tuning.Epochs, tuning.Halving = 4, 4, 2
	return tuning
}

// extents records what the stages of a tuning have to do.
type extents struct {
	study.Silent
	all []study.Extent
}

func (e *extents) Study(extent study.Extent) { e.all = append(e.all, extent) }

func TestTrialsAreRanked(t *testing.T) {
	diverged := record.Trial{Trial: 1, Status: record.Diverged}
	early := record.Trial{Trial: 5, Status: record.Stopped, Score: &record.TrialScore{ValLoss: 0.05, ValAcc: 0.99, F1: 0.99}}
	low := record.Trial{Trial: 2, Score: &record.TrialScore{ValLoss: 0.1, ValAcc: 0.8, F1: 0.9}}
	tied := record.Trial{Trial: 3, Score: &record.TrialScore{ValLoss: 0.3, ValAcc: 0.9, F1: 0.7}}
	best := record.Trial{Trial: 4, Score: &record.TrialScore{ValLoss: 0.2, ValAcc: 0.9, F1: 0.8}}
	for metric, want := range map[string][]int{"val_acc": {4, 3, 2, 5, 1}, "val_loss": {2, 4, 3, 5, 1}, "f1": {2, 4, 3, 5, 1}} {
		trials := []record.Trial{diverged, early, low, tied, best}
		slices.SortFunc(trials, func(a, b record.Trial) int { return a.Compare(b, metric) })
		for i, trial := range trials {
			if trial.Trial != want[i] {
				t.Errorf("by %s place %d is of trial %d, want %d", metric, i+1, trial.Trial, want[i])
			}
		}
	}
}

func TestTuningIsChecked(t *testing.T) {
	for want, change := range map[string]func(*Tuning){
		"tuning seeds begin at 1000000":          func(t *Tuning) { t.Seeds = []int{0} },
		"protocol pilot":                         func(t *Tuning) { t.Protocol = record.ProtocolPilot },
		"2 datasets":                             func(t *Tuning) { t.Datasets = []string{"digits", "mnist"} },
		"trials: give each optimizer 1 to 10000": func(t *Tuning) { t.Trials = math.MaxInt },
		"a tuning has at most 100000 runs": func(t *Tuning) {
			t.Trials, t.Seeds = 10_000, []int{1e6, 1e6 + 1, 1e6 + 2, 1e6 + 3, 1e6 + 4, 1e6 + 5, 1e6 + 6, 1e6 + 7, 1e6 + 8, 1e6 + 9, 1e6 + 10}
		},
		"0 trials":               func(t *Tuning) { t.Trials = 0 },
		"tune 1 to 1000 times":   func(t *Tuning) { t.Repeats = 1001 },
		"seed 1001000: of sever": func(t *Tuning) { t.Seeds, t.Repeats = []int{1001000}, 2 },
		"in 1000 tunings are":    func(t *Tuning) { t.Trials, t.Repeats = 51, 1000 },
		"halving by 1":           func(t *Tuning) { t.Halving = 1 },
		"of epochs, 2":           func(t *Tuning) { t.Halving = 3 },
		"unknown metric":         func(t *Tuning) { t.Metric = "x" },
		"at least one optimizer": func(t *Tuning) { t.Specs = nil },
		"unknown optimizer":      func(t *Tuning) { t.Specs = []string{"x"} },
		"nothing is left":        func(t *Tuning) { t.Specs = []string{"adam:lr=1"} },
		"is set in adam:lr=1": func(t *Tuning) {
			t.Specs, t.Space = []string{"adam:lr=1"}, Space{"": {{Key: "lr", Low: 1, High: 2, Log: true}}}
		},
		"not among the optimizers": func(t *Tuning) { t.Space = Space{"adam": {{Key: "lr", Low: 1, High: 2, Log: true}}} },
		"no key \"x\"":             func(t *Tuning) { t.Space = Space{"": {{Key: "x", Low: 1, High: 2, Log: true}}} },
		"in the study twice":       func(t *Tuning) { t.Specs = []string{"adamw", "adamw"} },
		"widen the space":          func(t *Tuning) { t.Space = Space{"": {{Key: "lr", Low: 1, High: 1.0000001, Log: true}}} },
		"whole numbers": func(t *Tuning) {
			t.Specs, t.Space = []string{"sophia"}, Space{"": {{Key: "every", Low: 1.5, High: 9}}}
		},
		"fewer trials than 3": func(t *Tuning) {
			t.Specs, t.Space = []string{"sophia"}, Space{"": {{Key: "every", Low: 1, High: 2}}}
		},
		"all trials of sgd (3) diverged": func(t *Tuning) {
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

// The result of a tuning is not replaced by that of another; a damaged one is written anew.
func TestAnotherTuningIsRefused(t *testing.T) {
	tuning := smallTuning(t.TempDir())
	_, want := runTuning(t, tuning)
	for differs, change := range map[string]func(*Tuning){
		"adamw over lr=0.001..0.01 log": func(t *Tuning) { t.Space = Space{"adamw": {{Key: "lr", Low: 0.001, High: 0.01, Log: true}}} },
		"trials was 3 and is 4":         func(t *Tuning) { t.Trials = 4 },
		"epochs was 2 and is 3":         func(t *Tuning) { t.Epochs = 3 },
		"metric was val_acc and is f1":  func(t *Tuning) { t.Metric = "f1" },
		"halving was none and is":       func(t *Tuning) { t.Halving = 2 },
		"repeats was 1 and is 2":        func(t *Tuning) { t.Repeats = 2 },
	} {
		other := *tuning
		change(&other)
		for _, err := range []error{other.Validate(), func() error { _, _, err := other.Run(t.Context(), nil); return err }()} {
			if err == nil || !strings.Contains(err.Error(), differs) || !strings.Contains(err.Error(), "--out") {
				t.Errorf("want an error with %q, got %v", differs, err)
			}
		}
	}
	path := filepath.Join(tuning.Out, record.TunedFile)
	if got, err := os.ReadFile(path); err != nil || string(got) != string(want) {
		t.Errorf("the result of the first tuning is now %s, %v", got, err)
	}
	if err := os.WriteFile(path, want[:len(want)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := record.ReadTuned(path); err == nil || !strings.Contains(err.Error(), "writes it anew") {
		t.Errorf("a damaged file: %v", err)
	}
	if _, got := runTuning(t, tuning); string(got) != string(want) {
		t.Errorf("a damaged result became %s", got)
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
	if err := s.Use(read, false); err == nil || !strings.Contains(err.Error(), "tuned on") {
		t.Errorf("a study of a tuning seed: %v", err)
	}
	s.Seeds = []int{0}
	const differs = "protocol pilot, tuned with holdout"
	if err := s.Use(read, false); err == nil || !strings.Contains(err.Error(), differs+": ") {
		t.Errorf("a study of another protocol: %v", err)
	}
	if err := s.Use(read, true); err != nil {
		t.Fatal(err)
	}
	if want := []string{tuned.Optimizers[0].Best, tuned.Optimizers[1].Best}; !slices.EqualFunc(s.Optimizers, want, func(r optim.Rule, spec string) bool { return optim.Spec(r) == spec }) {
		t.Fatalf("optimizers %v, want %q", s.Optimizers, want)
	}
	if err := s.Run(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for _, rule := range s.Optimizers {
		arm := optim.Spec(rule)
		config, there, err := record.RunOf(s.Out, record.Job{Settings: s.Settings, Dataset: "digits", Optimizer: arm}).Config()
		if !there || err != nil || config.TuningTrials != 3 {
			t.Errorf("%s: config %+v, %v: want 3 tuning trials", arm, config, err)
		}
	}
	rows, err := report.ReadFolder(s.Out)
	if err != nil {
		t.Fatal(err)
	}
	analysis, err := report.Compare(rows, optim.Spec(s.Optimizers[0]))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := report.Render(&text, analysis, report.Markdown); err != nil || !strings.Contains(text.String(), "How sensitive is it to the learning rate?") {
		t.Errorf("the report does not show the tuning:\n%s", text.String())
	}
	if !slices.ContainsFunc(analysis.Cautions(), func(c string) bool { return strings.Contains(c, differs) }) {
		t.Errorf("the report does not say %q", differs)
	}
	if kept, err := record.ReadTuned(filepath.Join(s.Out, record.TunedFile)); err != nil || !slices.Equal(kept.NotTunedFor, []string{differs}) {
		t.Errorf("the study keeps %+v, %v", kept, err)
	}
}

// A study of two tunings trains each from seeds of its own, in pairs, and its report compares
// the arms, whichever settings the tunings found.
func TestStudyOfSeveralTunings(t *testing.T) {
	tuning := smallTuning(t.TempDir())
	tuning.Repeats, tuning.Trials = 2, 2
	tuned, _ := runTuning(t, tuning)
	study := func(seeds ...int) *study.Study {
		s := smallStudy(t.TempDir())
		s.Settings, s.Seeds = tuning.Settings, seeds
		return s
	}
	if err := study(1000).Use(tuned, false); err == nil || !strings.Contains(err.Error(), "choose seeds below 1000") {
		t.Errorf("a seed of the second tuning: %v", err)
	}
	other := study(0, 1)
	other.Model = "smallcnn"
	if err := other.Use(tuned, false); err == nil || !strings.Contains(err.Error(), "--allow-other-tuning") {
		t.Errorf("a study of another model: %v", err)
	}
	s := study(0, 1)
	if err := s.Use(tuned, false); err != nil {
		t.Fatal(err)
	}
	if differences, err := s.Register(""); err != nil || differences != nil {
		t.Errorf("%q, %v", differences, err)
	}
	if plan, err := record.ReadPlan(filepath.Join(s.Out, record.PlanFile)); err != nil || plan.Tunings != 2 || len(plan.Tuned) != 64 || !slices.Equal(plan.Seeds, []int{0, 1, 1000, 1001}) || !slices.Equal(plan.Optimizers, []string{"adamw", "sgd"}) {
		t.Errorf("plan %+v, %v", plan, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := s.Run(ctx, &stopper{steps: 200, stop: cancel}); err == nil {
		t.Fatal("the study was not interrupted")
	}
	if err := s.Run(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	rows, err := report.ReadFolder(s.Out)
	if err != nil {
		t.Fatal(err)
	}
	best := map[string]string{}
	for _, o := range tuned.Optimizers {
		best[o.Label()] = o.Best
	}
	for _, r := range rows {
		config, _, err := record.Run{Folder: filepath.Dir(r.Source)}.Config()
		if err != nil || r.Optimizer != r.Arm || r.Tuning != 1+r.Seed/1000 || config.Tuning != r.Tuning || config.Arm != r.Arm || config.TuningTrials != 2 ||
			config.Optimizer != best[r.Arm+", tuning "+strconv.Itoa(r.Tuning)] {
			t.Errorf("run %+v of config %+v, %v; the best trials are %v", r, config.Job, err, best)
		}
	}
	analysis, err := report.Compare(rows, s.Arms()[0])
	if err != nil {
		t.Fatal(err)
	}
	if c := analysis.Comparisons; len(c) != 1 || c[0].Baseline != "adamw" || c[0].Rival != "sgd" || !slices.Equal(c[0].Seeds, []int{0, 1, 1000, 1001}) || len(c[0].LeftOut) > 0 {
		t.Errorf("comparisons %+v", c)
	}
	var text strings.Builder
	if err := report.Render(&text, analysis, report.Markdown); err != nil || !strings.Contains(text.String(), "sgd, all 2 tunings") {
		t.Errorf("%v: the report does not show the tunings:\n%s", err, text.String())
	}

	// The folder takes no run of these arms from elsewhere.
	foreign := *tuned
	foreign.Optimizers = slices.Clone(tuned.Optimizers)
	foreign.Optimizers[1].Best = "adamw:lr=0.5"
	untuned := study(5)
	for _, c := range []struct {
		tuned *record.Tuned
		seeds []int
	}{{&foreign, []int{0}}, {nil, []int{0}}, {nil, []int{5}}} {
		other := untuned
		other.Out, other.Seeds = s.Out, c.seeds
		if c.tuned != nil {
			other = study(c.seeds...)
			other.Out = s.Out
			if err := other.Use(c.tuned, false); err != nil {
				t.Fatal(err)
			}
		}
		if err := other.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "choose another folder with --out") {
			t.Errorf("seeds %v of another tuning: %v", c.seeds, err)
		}
	}
	if _, err := report.ReadFolder(s.Out); err != nil {
		t.Error(err)
	}
}

// smallStudy is of the MLP on digits: a second or so.
func smallStudy(out string) *study.Study {
	s := &study.Study{Settings: train.DefaultSettings(), Datasets: []string{"digits"}, Optimizers: []optim.Rule{optim.NewAdamW(), optim.NewDiagHess()}, Seeds: []int{0, 1}, Out: out, Device: "cpu", Library: "gonum"}
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
