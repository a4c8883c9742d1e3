package record

import (
	"bytes"
	"diaghess/train/atomicfile"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
)

// Epoch is a line of epochs.jsonl.
type Epoch struct {
	Epoch     int     `json:"epoch" in:"1.."` // from 1
	TrainLoss float64 `json:"train_loss" in:"0.."`
	TrainAcc  float64 `json:"train_acc" in:"0..1"`
	ValLoss   float64 `json:"val_loss" in:"0.."`
	ValAcc    float64 `json:"val_acc" in:"0..1"`
	F1        float64 `json:"f1" in:"0..1"`
	Seconds   float64 `json:"seconds" in:"0.."` // training and validation of this epoch
	// TrainLossClean is TrainLoss without the label smoothing, and ValLossSmoothed ValLoss with it.
	// Both are there in runs with smoothing, from schema 4 on.
	TrainLossClean  *float64 `json:"train_loss_clean,omitempty" in:"0.."`
	ValLossSmoothed *float64 `json:"val_loss_smoothed,omitempty" in:"0.."`
	// EvaluatedTrain is there with Settings.EvaluateTrain.
	EvaluatedTrain *TrainScore `json:"evaluated_train,omitempty"`
	// Parts is where the time of one of the epoch's steps went; nil where none was
	// timed.
	Parts *StepParts `json:"step_parts,omitempty"`
	// Curvature is of the epoch's last step, where the optimizer has one.
	Curvature *Curvature `json:"curvature,omitempty"`
}

// TrainScore is what the training pictures are after an epoch, without dropout and augmentation, with
// the weights and statistics of validation.
type TrainScore struct {
	Loss         float64  `json:"loss" in:"0.."`                    // without label smoothing
	LossSmoothed *float64 `json:"loss_smoothed,omitempty" in:"0.."` // with it, in runs that have some
	Acc          float64  `json:"acc" in:"0..1"`
	F1           float64  `json:"f1" in:"0..1"`
}

// StepParts is where the time of a training step goes, in milliseconds.
type StepParts struct {
	Forward  float64 `json:"forward_ms" in:"0.."`
	Backward float64 `json:"backward_ms" in:"0.."`
	// Curvature is what an estimate takes, over the steps from one to the next.
	Curvature float64 `json:"curvature_ms" in:"0.."`
	Update    float64 `json:"update_ms" in:"0.."`
	Rest      float64 `json:"rest_ms" in:"0.."` // pictures, dropout masks, loss and counts
}

// Curvature is what an optimizer's estimate of the curvature's diagonal, h, was like.
type Curvature struct {
	Norm     float64 `json:"norm" in:"0.."`      // of h, Euclidean
	Negative float64 `json:"negative" in:"0..1"` // share of the entries of h that are below 0
	// Clipped is the share of the coordinates that Sophia clipped; in records of version 0.2 and
	// before.
	Clipped *float64 `json:"clipped,omitempty" in:"0..1"`
	// Damped is how many tensors had a negative curvature, which DiagHess's
	// damping made up for.
	Damped *int `json:"damped,omitempty" in:"0.."`
}

// String is the estimate for a person.
func (c *Curvature) String() string {
	s := fmt.Sprintf("|h| %.3g", c.Norm)
	if c.Negative > 0 {
		s += fmt.Sprintf(" negative %.1f %%", 100*c.Negative)
	}
	if c.Clipped != nil {
		s += fmt.Sprintf(" clipped %.1f %%", 100**c.Clipped)
	}
	if c.Damped != nil && *c.Damped > 0 {
		s += fmt.Sprintf(" damped %d tensors", *c.Damped)
	}
	return s
}

// Epochs reads epochs.jsonl; without one there are none.
func (r Run) Epochs() ([]Epoch, error) {
	t := r.tree()
	epochs, _, wrong := t.epochs(epochsFile)
	return epochs, wrong.remedied(t.remedy(".")).err()
}

// epochs reads the epochs of a run, which have to be there from the first on, in order. It
// returns false where there is no such file.
func (t *tree) epochs(name string) (epochs []Epoch, there bool, wrong Problems) {
	content, err := readAll(t.fs, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, true, unreadable(t.source(name), err)
	}
	for line := range bytes.Lines(content) {
		var e Epoch
		if plain(line, &e) && e.Epoch == len(epochs)+1 {
			epochs = append(epochs, e)
			continue
		}
		e = Epoch{}
		place := fmt.Sprintf("%s:%d", t.source(name), len(epochs)+1)
		problems := decode(place, line, &e)
		if problems == nil && e.Epoch != len(epochs)+1 {
			problems = Problems{{Place: place, Sentence: fmt.Sprintf("is damaged: it is of epoch %d, and each epoch is expected to have a line, in order", e.Epoch)}}
		}
		wrong = append(wrong, problems...)
		epochs = append(epochs, e)
	}
	return epochs, true, wrong
}

// WriteEpochs writes epochs.jsonl.
func (r Run) WriteEpochs(epochs []Epoch) error {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, e := range epochs {
		if err := encoder.Encode(e); err != nil {
			return fmt.Errorf("epoch %d of %s: %w", e.Epoch, r.Folder, err)
		}
	}
	return atomicfile.WriteBytes(r.path(epochsFile), lines.Bytes())
}
