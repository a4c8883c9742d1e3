package record

import "fmt"

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

// Status says how a run or a trial ended.
type Status string

const (
	Finished Status = "finished" // trained to the last epoch
	Diverged Status = "diverged" // the loss became NaN or infinite
	Paused   Status = "paused"   // of a run of a tuning that is to go on; never in final.json
	Stopped  Status = "stopped"  // of a trial that others of its optimizer were better than
)

// Final is final.json: how a run ended.
type Final struct {
	Schema    int    `json:"schema"`
	Dataset   string `json:"dataset"`
	Optimizer string `json:"optimizer"`
	Seed      int    `json:"seed"`
	Status    Status `json:"status"`
	Epochs    int    `json:"epochs"` // trained
	Limit     int    `json:"limit,omitempty"`
	Protocol  string `json:"protocol"`
	Augment   string `json:"augment"`
	Build     Build  `json:"build"`
	// What was measured after the last epoch, of the validation set.
	ValLoss float64 `json:"val_loss"`
	ValAcc  float64 `json:"val_acc"`
	F1      float64 `json:"f1"`
	// Test is measured once, where the test set is not the validation set and not
	// left alone, as it is in tuning.
	Test *TestScore `json:"test,omitempty"`
	// TrainTime is the wall time in seconds of all epochs, validation included.
	TrainTime float64 `json:"train_time"`
	// DivergedAt is the step, from 1, whose loss was not finite; 0 for none.
	DivergedAt int    `json:"diverged_at,omitempty"`
	Note       string `json:"note,omitempty"`
}

// TestScore is the outcome on the test set.
type TestScore struct {
	Loss float64 `json:"loss"`
	Acc  float64 `json:"acc"`
	F1   float64 `json:"f1"`
}

// check says what is wrong with an outcome.
func (f Final) check() error {
	if f.Dataset == "" || f.Optimizer == "" || f.Status == "" {
		return fmt.Errorf("it names no data set, optimizer or status (%q, %q, %q)", f.Dataset, f.Optimizer, f.Status)
	}
	return nil
}
