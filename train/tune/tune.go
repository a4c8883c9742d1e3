package tune

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"diaghess/optim"
	"diaghess/train"
	"diaghess/train/record"
	"diaghess/train/study"
)

// FirstSeed is where the seeds of tuning begin. A study's seeds are below
// it as a rule, and never those that its optimizers were tuned on.
const FirstSeed = 1_000_000

// Tuning chooses the settings of optimizers, with an equal budget for each: the same
// number of trials. A trial is sampled from a declared space and trained for as many epochs
// from the same seeds. What counts is the validation
// part of the holdout protocol; the test set is not looked at.
type Tuning struct {
	study.Study        // Optimizers are those to tune, with what is not to be sampled; Seeds from FirstSeed on
	Trials      int    // of each optimizer
	Space       Space  // empty for the defaults
	Metric      string // what the best trial is best in, see Metrics
	// Halving trains only the best of each optimizer's trials on, one in so many, after
	// as small a part of the epochs, and so again; 0 trains all to the end.
	Halving int
}

// trialsFolder is the study of the trials, in the tuning's folder.
const trialsFolder = "trials"

// Metrics returns the metrics that trials can be ranked by, the default
// first.
func Metrics() []string {
	return []string{"val_acc", "val_loss", "f1"}
}

// Run does the trials that have not ended yet, and returns the result and the
// path of its file.
func (t *Tuning) Run(ctx context.Context, observer study.Observer) (tuned *record.Tuned, path string, err error) {
	if tuned, err = t.plan(); err != nil {
		return nil, "", err
	}
	err = t.climb(tuned, func(specs []string, until int) error {
		trials := t.Study
		trials.Out, trials.Optimizers = filepath.Join(t.Out, trialsFolder), specs
		trials.ValidationOnly, trials.Until = true, until
		return trials.Run(ctx, observer)
	})
	if err != nil {
		return nil, "", err
	}
	for i := range tuned.Optimizers {
		o := &tuned.Optimizers[i]
		best := slices.MinFunc(o.Trials, t.rank)
		if best.Status != record.Finished {
			return nil, "", fmt.Errorf("every one of the %d trials of %s diverged: give it a space of smaller learning rates with --space", t.rungs()[len(t.rungs())-1].Trials, o.Optimizer)
		}
		o.Best, o.BestTrial = best.Spec, best.Trial
	}
	path = filepath.Join(t.Out, record.TunedFile) // beside the trials' study
	return tuned, path, tuned.Write(path)
}

// Validate says what is wrong with the tuning.
func (t *Tuning) Validate() error {
	if _, err := t.plan(); err != nil {
		return err
	}
	_, err := t.Jobs()
	return err
}

// plan checks the tuning and draws the trials.
func (t *Tuning) plan() (*record.Tuned, error) {
	switch {
	case t.Protocol != record.ProtocolHoldout:
		return nil, fmt.Errorf("protocol %s: tuning validates on training pictures kept aside, which is the protocol %s", t.Protocol, record.ProtocolHoldout)
	case len(t.Datasets) != 1:
		return nil, fmt.Errorf("%d datasets: tune on one", len(t.Datasets))
	case t.Trials < 1:
		return nil, fmt.Errorf("%d trials: give each optimizer at least 1", t.Trials)
	case t.Halving != 0 && (t.Halving < 2 || t.Halving > t.Trials || t.Halving > t.Epochs):
		return nil, fmt.Errorf("halving by %d: give a number from 2 to the number of trials, %d, and of epochs, %d; or 0 to train all trials to the end", t.Halving, t.Trials, t.Epochs)
	case !slices.Contains(Metrics(), t.Metric):
		return nil, fmt.Errorf("unknown metric %q (known: %s)", t.Metric, strings.Join(Metrics(), ", "))
	case len(t.Optimizers) == 0 || len(t.Seeds) == 0:
		return nil, errors.New("tuning needs at least one optimizer and one seed")
	}
	for _, seed := range t.Seeds {
		if seed < FirstSeed {
			return nil, fmt.Errorf("seed %d is one that a study may have: tuning seeds begin at %d", seed, FirstSeed)
		}
	}
	tuned := &record.Tuned{
		Settings: t.Settings, Dataset: t.Datasets[0], Seeds: t.Seeds, Metric: t.Metric, Trials: t.Trials,
		Device: t.Device, Build: train.ThisBuild(),
	}
	if t.Halving > 0 {
		tuned.Rungs = t.rungs()
	}
	names := map[string]bool{} // of the rules
	for _, spec := range t.Optimizers {
		dimensions, err := t.Space.of(spec)
		if err != nil {
			return nil, err
		}
		specs, err := draw(spec, dimensions, t.Trials)
		if err != nil {
			return nil, err
		}
		o := record.TunedOptimizer{Optimizer: spec, Space: dimensions}
		for i, s := range specs {
			rate, err := learningRate(s)
			if err != nil {
				return nil, err
			}
			o.Trials = append(o.Trials, record.Trial{Trial: i + 1, Spec: s, LR: rate})
		}
		tuned.Optimizers = append(tuned.Optimizers, o)
		name, _, _ := strings.Cut(spec, ":")
		names[name] = true
	}
	for name := range t.Space {
		if name != "" && !names[name] {
			return nil, fmt.Errorf("space: %s is not among the optimizers to tune", name)
		}
	}
	return tuned, nil
}

// learningRate returns the learning rate of a spec.
func learningRate(spec string) (float64, error) {
	rule, err := optim.Parse(spec)
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(optim.Settings(rule)["lr"], 64)
}

// read sets a trial's outcome after so many epochs from its records, whatever became of
// it later: a tuning that goes on finds what it found before.
func (t *Tuning) read(trial *record.Trial, epochs int) error {
	score := &record.TrialScore{}
	trial.Status, trial.Epochs, trial.Score = record.Finished, epochs, score
	for _, seed := range t.Seeds {
		r := t.recordOf(trial, seed)
		lines, err := r.Epochs()
		if err != nil {
			return err
		}
		if len(lines) < epochs {
			f, ended, err := r.Final()
			if err != nil {
				return err
			}
			if !ended || f.Status == record.Finished {
				return fmt.Errorf("%s has %d epochs, not %d, though its study has them: run the same command again", r.Folder, len(lines), epochs)
			}
			trial.Status, trial.Epochs, trial.Score = f.Status, 0, nil
			continue
		}
		e, n := lines[epochs-1], float64(len(t.Seeds))
		score.ValLoss += e.ValLoss / n
		score.ValAcc += e.ValAcc / n
		score.F1 += e.F1 / n
	}
	return nil
}

// rank orders trials from the best on: by the metric, of equal ones by the
// loss, which accuracies on few pictures often leave to decide. Those that
// were stopped come after, those that diverged last.
func (t *Tuning) rank(a, b record.Trial) int {
	if class(a) != class(b) || a.Score == nil {
		return cmp.Compare(class(a), class(b))
	}
	return cmp.Or(cmp.Compare(cost(a.Score, t.Metric), cost(b.Score, t.Metric)), cmp.Compare(a.Score.ValLoss, b.Score.ValLoss))
}

// class is how a trial ended: to the end, stopped, diverged.
func class(t record.Trial) int {
	switch {
	case t.Score == nil:
		return 2
	case t.Status == record.Stopped:
		return 1
	}
	return 0
}

// cost is a metric so signed that less is better.
func cost(s *record.TrialScore, metric string) float64 {
	switch metric {
	case "val_acc":
		return -s.ValAcc
	case "f1":
		return -s.F1
	}
	return s.ValLoss
}
