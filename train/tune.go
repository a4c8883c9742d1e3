package train

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"diaghess/optim"
	"diaghess/train/report"
)

// FirstTuningSeed is where the seeds of tuning begin. A study's seeds are below
// it as a rule, and never those that its optimizers were tuned on.
const FirstTuningSeed = 1_000_000

// Tuning chooses the settings of optimizers, with an equal budget for each. Each optimizer
// has the same number of trials. A trial is sampled from a declared space; all trials have
// equally many epochs and the same seeds. The validation part of the holdout protocol
// ranks them; the test set is not used.
type Tuning struct {
	Study         // Optimizers are those to tune, with their fixed settings; Seeds from FirstTuningSeed on
	Trials int    // of each optimizer
	Space  Space  // empty for the defaults
	Metric string // that ranks the trials, see TuningMetrics
	// Halving is the factor N of successive halving: after 1/N of the epochs only the best
	// 1/N of each optimizer's trials continue, and so on. 0 trains all to the end.
	Halving int
}

// trialsFolder is the study of the trials, in the tuning's folder.
const trialsFolder = "trials"

// TuningMetrics returns the metrics that trials can be ranked by, the default
// first.
func TuningMetrics() []string {
	return []string{report.ValAcc.String(), report.ValLoss.String(), report.F1.String()}
}

// Tuned is the result of a tuning, tuned.json. It holds no times: the same
// tuning gives the same bytes.
type Tuned struct {
	Settings
	Dataset string `json:"dataset"`
	Seeds   []int  `json:"seeds"`
	Metric  string `json:"metric"`
	Trials  int    `json:"trials"` // of each optimizer
	// Rungs are the stages of successive halving; empty without it.
	Rungs      []Rung           `json:"rungs,omitempty"`
	Device     string           `json:"device"`
	Build      Build            `json:"build"`
	Optimizers []TunedOptimizer `json:"optimizers"`
}

// TunedOptimizer is the result of a tuning for one optimizer.
type TunedOptimizer struct {
	Optimizer string      `json:"optimizer"`  // the spec that was tuned
	Best      string      `json:"best"`       // the spec of the best trial
	BestTrial int         `json:"best_trial"` // from 1
	Space     []Dimension `json:"space"`
	Trials    []Trial     `json:"trials"`
}

// Trial is the outcome of one trial.
type Trial struct {
	Trial  int           `json:"trial"` // from 1
	Spec   string        `json:"spec"`
	LR     float64       `json:"lr"`     // of the spec
	Status report.Status `json:"status"` // diverged if it did from any seed; stopped by successive halving
	Epochs int           `json:"epochs"` // trained, unless it diverged
	// Score is the mean over the seeds after those epochs, on the validation part; nil
	// if the trial diverged.
	Score *TrialScore `json:"score,omitempty"`
	// First is that after the first stage of successive halving, which all trials have
	// reached that did not diverge in it.
	First *TrialScore `json:"first_score,omitempty"`
}

// TrialScore has the metrics that rank a trial.
type TrialScore struct {
	ValLoss float64 `json:"val_loss"`
	ValAcc  float64 `json:"val_acc"`
	F1      float64 `json:"f1"`
}

// Run does the trials that have not ended yet, and returns the result and the
// path of its file.
func (t *Tuning) Run(ctx context.Context, observer Observer) (tuned *Tuned, path string, err error) {
	if tuned, err = t.plan(); err != nil {
		return nil, "", err
	}
	err = t.climb(tuned, func(specs []string, until int) error {
		study := t.Study
		study.Out, study.Optimizers = filepath.Join(t.Out, trialsFolder), specs
		study.validationOnly, study.until = true, until
		return study.Run(ctx, observer)
	})
	if err != nil {
		return nil, "", err
	}
	for i := range tuned.Optimizers {
		o := &tuned.Optimizers[i]
		best := slices.MinFunc(o.Trials, t.rank)
		if best.Status != report.Finished {
			return nil, "", fmt.Errorf("every one of the %d trials of %s diverged: give it a space of smaller learning rates with --space", t.rungs()[len(t.rungs())-1].Trials, o.Optimizer)
		}
		o.Best, o.BestTrial = best.Spec, best.Trial
	}
	path = filepath.Join(t.Out, report.TuningFile) // beside the trials' study
	return tuned, path, writeJSON(path, tuned)
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
func (t *Tuning) plan() (*Tuned, error) {
	switch {
	case t.Protocol != ProtocolHoldout:
		return nil, fmt.Errorf("protocol %s: tuning validates on training pictures kept aside, which is the protocol %s", t.Protocol, ProtocolHoldout)
	case len(t.Datasets) != 1:
		return nil, fmt.Errorf("%d datasets: tune on one", len(t.Datasets))
	case t.Trials < 1:
		return nil, fmt.Errorf("%d trials: give each optimizer at least 1", t.Trials)
	case t.Halving != 0 && (t.Halving < 2 || t.Halving > t.Trials || t.Halving > t.Epochs):
		return nil, fmt.Errorf("halving by %d: give a number from 2 to the number of trials, %d, and of epochs, %d; or 0 to train all trials to the end", t.Halving, t.Trials, t.Epochs)
	case !slices.Contains(TuningMetrics(), t.Metric):
		return nil, fmt.Errorf("unknown metric %q (known: %s)", t.Metric, strings.Join(TuningMetrics(), ", "))
	case len(t.Optimizers) == 0 || len(t.Seeds) == 0:
		return nil, errors.New("tuning needs at least one optimizer and one seed")
	}
	for _, seed := range t.Seeds {
		if seed < FirstTuningSeed {
			return nil, fmt.Errorf("seed %d is one that a study may have: tuning seeds begin at %d", seed, FirstTuningSeed)
		}
	}
	tuned := &Tuned{
		Settings: t.Settings, Dataset: t.Datasets[0], Seeds: t.Seeds, Metric: t.Metric, Trials: t.Trials,
		Device: t.Device, Build: ThisBuild(),
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
		o := TunedOptimizer{Optimizer: spec, Space: dimensions}
		for i, s := range specs {
			rate, err := learningRate(s)
			if err != nil {
				return nil, err
			}
			o.Trials = append(o.Trials, Trial{Trial: i + 1, Spec: s, LR: rate})
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
func (t *Tuning) read(trial *Trial, epochs int) error {
	score := &TrialScore{}
	trial.Status, trial.Epochs, trial.Score = report.Finished, epochs, score
	for _, seed := range t.Seeds {
		r := t.recordOf(trial, seed)
		lines, err := r.epochs()
		if err != nil {
			return err
		}
		if len(lines) < epochs {
			f, ended, err := r.final()
			if err != nil {
				return err
			}
			if !ended || f.Status == report.Finished {
				return fmt.Errorf("%s has %d epochs, not %d, though its study has them: run the same command again", r.folder, len(lines), epochs)
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
func (t *Tuning) rank(a, b Trial) int {
	if a.class() != b.class() || a.Score == nil {
		return cmp.Compare(a.class(), b.class())
	}
	return cmp.Or(cmp.Compare(a.Score.cost(t.Metric), b.Score.cost(t.Metric)), cmp.Compare(a.Score.ValLoss, b.Score.ValLoss))
}

func (t Trial) class() int {
	switch {
	case t.Score == nil:
		return 2
	case t.Status == stopped:
		return 1
	}
	return 0
}

// cost is a metric so signed that less is better.
func (s *TrialScore) cost(metric string) float64 {
	switch metric {
	case report.ValAcc.String():
		return -s.ValAcc
	case report.F1.String():
		return -s.F1
	}
	return s.ValLoss
}

// Cautions says of which optimizers a better learning rate may lie outside of what
// was tried.
func (t *Tuned) Cautions() []string {
	var lines []string
	for _, o := range t.Optimizers {
		var rates []float64
		for _, trial := range o.Trials {
			rates = append(rates, trial.LR)
		}
		if caution := report.RateCaution(o.Best, o.Trials[o.BestTrial-1].LR, rates); caution != "" {
			lines = append(lines, caution)
		}
	}
	return lines
}

// ReadTuned reads the result of a tuning.
func ReadTuned(path string) (*Tuned, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("result of a tuning: there is no file %s: diaghess tune writes it", path)
	}
	if err != nil {
		return nil, fmt.Errorf("result of a tuning: %w", err)
	}
	return ParseTuned(path, content)
}

// ParseTuned reads the result of a tuning from the content of a file.
func ParseTuned(path string, content []byte) (*Tuned, error) {
	tuned := &Tuned{}
	if err := json.Unmarshal(content, tuned); err != nil {
		return nil, fmt.Errorf("result of a tuning: %s is damaged: %w", path, err)
	}
	if len(tuned.Optimizers) == 0 || len(tuned.Seeds) == 0 {
		return nil, fmt.Errorf("%s is not the result of a tuning: it names no optimizers or no seeds", path)
	}
	for _, o := range tuned.Optimizers {
		if _, err := optim.Parse(o.Best); err != nil {
			return nil, fmt.Errorf("%s: best trial of %s: %w", path, o.Optimizer, err)
		}
		if len(o.Trials) != tuned.Trials {
			return nil, fmt.Errorf("%s: %s had %d trials and not %d: budgets are not equal", path, o.Optimizer, len(o.Trials), tuned.Trials)
		}
	}
	return tuned, nil
}

// Use has a study compare the best of each tuned optimizer, the first of them
// the baseline. It refuses a study of a seed that they were tuned on.
func (s *Study) Use(tuned *Tuned) error {
	for _, seed := range s.Seeds {
		if slices.Contains(tuned.Seeds, seed) {
			return fmt.Errorf("seed %d is one that the optimizers were tuned on: choose others with --seeds", seed)
		}
	}
	s.Optimizers, s.tuned, s.tuningTrials = nil, tuned, map[string]int{}
	for _, o := range tuned.Optimizers {
		rule, err := optim.Parse(o.Best)
		if err != nil {
			return err
		}
		arm := optim.Spec(rule)
		s.Optimizers = append(s.Optimizers, arm)
		s.tuningTrials[arm] = len(o.Trials)
	}
	return nil
}

// Differences says in what a study is not what its optimizers were tuned for.
func (s *Study) Differences(tuned *Tuned) []string {
	var list []string
	for _, dataset := range s.Datasets {
		if dataset != tuned.Dataset {
			list = append(list, fmt.Sprintf("the optimizers were tuned on %s and the study is on %s", tuned.Dataset, dataset))
		}
	}
	for _, d := range []struct {
		what       string
		tuned, now any
	}{
		{"model", tuned.Model, s.Model}, {"epochs", tuned.Epochs, s.Epochs}, {"batch", tuned.Batch, s.Batch},
		{"protocol", tuned.Protocol, s.Protocol}, {"augment", tuned.Augment, s.Augment}, {"limit", tuned.Limit, s.Limit},
		{"label smoothing", tuned.LabelSmoothing, s.LabelSmoothing},
	} {
		if d.tuned != d.now {
			list = append(list, fmt.Sprintf("the optimizers were tuned with %s %v and the study has %v", d.what, d.tuned, d.now))
		}
	}
	return list
}
