package record

import (
	"bytes"
	"diaghess/train/atomicfile"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Epoch is a line of epochs.jsonl.
type Epoch struct {
	Epoch     int     `json:"epoch"` // from 1
	TrainLoss float64 `json:"train_loss"`
	TrainAcc  float64 `json:"train_acc"`
	ValLoss   float64 `json:"val_loss"`
	ValAcc    float64 `json:"val_acc"`
	F1        float64 `json:"f1"`
	Seconds   float64 `json:"seconds"` // training and validation of this epoch
	// Parts is where the time of one of the epoch's steps went; nil where none was
	// timed.
	Parts *StepParts `json:"step_parts,omitempty"`
	// Curvature is of the epoch's last step, where the optimizer has one.
	Curvature *Curvature `json:"curvature,omitempty"`
}

// StepParts is where the time of a training step goes, in milliseconds.
type StepParts struct {
	Forward  float64 `json:"forward_ms"`
	Backward float64 `json:"backward_ms"`
	// Curvature is what an estimate takes, over the steps from one to the next.
	Curvature float64 `json:"curvature_ms"`
	Update    float64 `json:"update_ms"`
	Rest      float64 `json:"rest_ms"` // pictures, dropout masks, loss and counts
}

// Curvature is what an optimizer's estimate of the curvature's diagonal, h, was like.
type Curvature struct {
	Norm     float64 `json:"norm"`     // of h, Euclidean
	Negative float64 `json:"negative"` // share of the entries of h that are below 0
	// Clipped is the share of the coordinates that Sophia clipped.
	Clipped *float64 `json:"clipped,omitempty"`
	// Damped is how many tensors had a negative curvature, which DiagHess's
	// damping made up for.
	Damped *int `json:"damped,omitempty"`
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
	epochs, err := readEpochs(os.DirFS(r.Folder), r.Folder, epochsFile)
	if err != nil {
		err = fmt.Errorf("%w: delete the run's folder to start it over", err)
	}
	return epochs, err
}

// readEpochs reads the epochs of a run, which have to be there from the first on, in order.
func readEpochs(fsys fs.FS, root, name string) ([]Epoch, error) {
	content, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var epochs []Epoch
	for line := range bytes.Lines(content) {
		source := fmt.Sprintf("%s:%d", filepath.Join(root, filepath.FromSlash(name)), len(epochs)+1)
		var e Epoch
		if err := decode(source, line, &e); err != nil {
			return nil, err
		}
		if e.Epoch != len(epochs)+1 {
			return nil, fmt.Errorf("%s is damaged: it is of epoch %d, and each epoch is expected to have a line, in order", source, e.Epoch)
		}
		epochs = append(epochs, e)
	}
	return epochs, nil
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
