package record

import "fmt"

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

// Finish writes final.json and drops the checkpoint.
func (r Run) Finish(f Final) error {
	f.Schema = Schema
	if err := write(r.path(finalFile), f); err != nil {
		return err
	}
	return r.Forget()
}

// Final reads final.json; it returns false where there is none: the run has not ended.
func (r Run) Final() (f Final, there bool, err error) {
	there, err = r.read(finalFile, &f)
	f.Protocol = current(f.Protocol)
	return f, there, err
}
