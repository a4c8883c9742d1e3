package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Tuned is the result of a tuning, tuned.json. It holds no times: the same
// tuning gives the same bytes.
type Tuned struct {
	Schema int `json:"schema"`
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

// Rung is a stage of a tuning: how many epochs each of so many trials of an optimizer has
// then been trained.
type Rung struct {
	Epochs int `json:"epochs"`
	Trials int `json:"trials"`
}

// Dimension is a key of an optimizer's spec that is sampled, and from where.
type Dimension struct {
	Key  string  `json:"key"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	Log  bool    `json:"log"` // uniform in the logarithm
}

// String writes the dimension as a user does: "lr=0.0001..0.01 log".
func (d Dimension) String() string {
	text := fmt.Sprintf("%s=%g..%g", d.Key, d.Low, d.High)
	if d.Log {
		text += " log"
	}
	return text
}

// TunedOptimizer is what was found for an optimizer.
type TunedOptimizer struct {
	Optimizer string      `json:"optimizer"`  // the spec that was tuned
	Best      string      `json:"best"`       // the spec of the best trial
	BestTrial int         `json:"best_trial"` // from 1
	Space     []Dimension `json:"space"`
	Trials    []Trial     `json:"trials"`
}

// Trial is the outcome of a sample of the space.
type Trial struct {
	Trial  int     `json:"trial"` // from 1
	Spec   string  `json:"spec"`
	LR     float64 `json:"lr"`     // of the spec
	Status Status  `json:"status"` // diverged if it did from any seed; stopped by successive halving
	Epochs int     `json:"epochs"` // trained, unless it diverged
	// Score is the mean over the seeds after those epochs, on the validation part; nil
	// if the trial diverged.
	Score *TrialScore `json:"score,omitempty"`
	// First is that after the first stage of successive halving, which all trials have
	// reached that did not diverge in it.
	First *TrialScore `json:"first_score,omitempty"`
}

// TrialScore is what a trial is ranked by.
type TrialScore struct {
	ValLoss float64 `json:"val_loss"`
	ValAcc  float64 `json:"val_acc"`
	F1      float64 `json:"f1"`
}

// Write writes tuned.json.
func (t Tuned) Write(path string) error {
	t.Schema = Schema
	return write(path, t)
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
	if err := decode(path, content, tuned); err != nil {
		return nil, fmt.Errorf("result of a tuning: %w", err)
	}
	tuned.update()
	if len(tuned.Optimizers) == 0 || len(tuned.Seeds) == 0 {
		return nil, fmt.Errorf("%s is not the result of a tuning: it names no optimizers or no seeds", path)
	}
	for _, o := range tuned.Optimizers {
		if len(o.Trials) != tuned.Trials {
			return nil, fmt.Errorf("%s: %s had %d trials and not %d: budgets are not equal", path, o.Optimizer, len(o.Trials), tuned.Trials)
		}
		if o.BestTrial < 1 || o.BestTrial > len(o.Trials) {
			return nil, fmt.Errorf("%s: the best of the %d trials of %s is number %d", path, len(o.Trials), o.Optimizer, o.BestTrial)
		}
	}
	return tuned, nil
}
