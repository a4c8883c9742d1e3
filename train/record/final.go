package record

import (
	"cmp"
	"fmt"

	"diaghess/train/atomicfile"
)

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
	Schema    int    `json:"schema,omitempty" in:"0.."`
	Dataset   string `json:"dataset"`
	Optimizer string `json:"optimizer"`
	Seed      int    `json:"seed" in:"0.."`
	Status    Status `json:"status" in:"finished|diverged"`
	Epochs    int    `json:"epochs" in:"0.."` // trained
	Limit     int    `json:"limit,omitempty" in:"0.."`
	Protocol  string `json:"protocol" in:"pilot|holdout|seed"`
	Augment   string `json:"augment" since:"1"`
	Build     Build  `json:"build"`
	// The outcome on the validation set.
	ValLoss float64 `json:"val_loss" in:"0.."`
	ValAcc  float64 `json:"val_acc" in:"0..1"`
	F1      float64 `json:"f1" in:"0..1"`
	// Endpoint is what these three are computed from, see Endpoint.Of.
	Endpoint Endpoint `json:"endpoint" since:"2"`
	// BestEpoch is the epoch, from 1, that they are of, under EndpointBest.
	BestEpoch int `json:"best_epoch,omitempty" in:"1.."`
	// Test is measured once, with the weights of Endpoint.Tested, where the test set is not the
	// validation set and not left alone, as it is in tuning.
	Test *TestScore `json:"test,omitempty"`
	// TrainTime is the wall time in seconds of all epochs, validation included.
	TrainTime float64 `json:"train_time" in:"0.."`
	// DivergedAt is the step, from 1, whose loss was not finite; 0 for none.
	DivergedAt int    `json:"diverged_at,omitempty" in:"1.."`
	Note       string `json:"note,omitempty"`
}

// TestScore is the outcome on the test set.
type TestScore struct {
	Loss float64 `json:"loss" in:"0.."`
	Acc  float64 `json:"acc" in:"0..1"`
	F1   float64 `json:"f1" in:"0..1"`
}

// Final is how a run of the config ends, without what it measures.
func (c Config) Final(status Status) Final {
	return Final{
		Schema: Schema, Dataset: c.Dataset, Optimizer: c.Optimizer, Seed: c.Seed, Status: status,
		Limit: c.Limit, Protocol: c.Protocol, Augment: c.Augment, Build: c.Build, Endpoint: c.Endpoint,
	}
}

// Summarize sets what follows from the run's status and epochs: how many they are, their
// time and, of a finished run, its outcome.
func (f *Final) Summarize(epochs []Epoch) {
	f.Epochs, f.TrainTime, f.ValLoss, f.ValAcc, f.F1, f.BestEpoch = len(epochs), 0, 0, 0, 0, 0
	for _, e := range epochs {
		f.TrainTime += e.Seconds
	}
	if f.Status == Finished {
		o := f.Endpoint.Of(epochs)
		f.ValLoss, f.ValAcc, f.F1 = o.ValLoss, o.ValAcc, o.F1
		if f.Endpoint == EndpointBest {
			f.BestEpoch = o.Epoch
		}
	}
}

// complete gives what older programs recorded its present name, and sets what records
// without a schema leave out.
func (f *Final) complete() {
	f.Protocol, f.Optimizer, f.Augment = current(f.Protocol), CurrentSpec(f.Optimizer), cmp.Or(f.Augment, AugmentNone)
	f.Endpoint = cmp.Or(f.Endpoint, EndpointLast)
}

// Finish writes final.json and drops the checkpoint. It calls tell, if that is not
// nil, for the ledger: with the record that comes, and when it is written.
func (r Run) Finish(f Final, tell func(Happening, Event) error) error {
	f.Schema = Schema
	content, err := encode(f)
	if err != nil {
		return fmt.Errorf("write %s: %w", r.path(finalFile), err)
	}
	record, err := r.tree().recordWith(".", f, content)
	if err != nil {
		return err
	}
	if tell == nil {
		tell = func(Happening, Event) error { return nil }
	}
	if err := tell(RunEnding, record); err != nil {
		return err
	}
	if err := atomicfile.WriteBytes(r.path(finalFile), content); err != nil {
		return err
	}
	if err := tell(RunEnded, record); err != nil {
		return err
	}
	return r.Forget()
}

// Final reads final.json; it returns false where there is none: the run has not ended.
func (r Run) Final() (f Final, there bool, err error) {
	there, err = r.read(finalFile, &f)
	f.complete()
	return f, there, err
}
