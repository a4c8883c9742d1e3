package report

import (
	"fmt"
	"math"
)

// Row is the outcome of one run: one optimizer, one data set, one seed.
type Row struct {
	Dataset   string
	Seed      int
	Optimizer string // the arm's name, as it appears in the tables

	// The metrics, taken after the last epoch. They count only when Status is Finished.
	ValLoss   float64 // mean cross-entropy on the validation set
	ValAcc    float64 // accuracy on the validation set, 0 to 1
	F1        float64 // macro F1 on the validation set, 0 to 1
	TrainTime float64 // seconds

	Status Status
	Note   string // why a run did not finish, in a few words; may be empty
	Epochs int    // number of epochs trained; 0 where it is not known
	Limit  int    // trained on the first Limit pictures only; 0 for all of them
	// Protocol says which pictures the metrics are of, in words; it is empty
	// where it is not known.
	Protocol string
	Build    string // the program that made the run; empty where it is not known
	Source   string // where the row was read, as file:line or a folder, for messages
}

// ValidatedOnTest is the Protocol of runs that hold nothing back.
const ValidatedOnTest = "Measured on the test set, which is the validation set too, after the last epoch"

// Status says how a run ended.
type Status string

const (
	Finished Status = "finished" // trained to the last epoch
	Diverged Status = "diverged" // the loss became NaN or infinite
)

// Metric is one of the numbers at the end of a run. Its value is its place in the tables.
type Metric int

const (
	ValLoss   Metric = iota // mean cross-entropy
	ValAcc                  // accuracy, 0 to 1
	F1                      // macro F1, 0 to 1
	TrainTime               // in seconds
)

// Metrics returns all metrics in the order of the tables.
func Metrics() []Metric { return []Metric{ValLoss, ValAcc, F1, TrainTime} }

// String returns the metric's column name in CSV files.
func (m Metric) String() string {
	switch m {
	case ValLoss:
		return "val_loss"
	case ValAcc:
		return "val_acc"
	case F1:
		return "f1"
	case TrainTime:
		return "train_time"
	}
	panic(fmt.Sprintf("report: metric %d does not exist", int(m)))
}

// Title returns what a person calls the metric. It does not say of which pictures;
// that is a run's protocol.
func (m Metric) Title() string {
	switch m {
	case ValLoss:
		return "loss"
	case ValAcc:
		return "accuracy"
	case F1:
		return "macro F1"
	case TrainTime:
		return "training time"
	}
	panic(fmt.Sprintf("report: metric %d does not exist", int(m)))
}

// Unit returns the metric's unit, "s" for times and "" for plain numbers.
func (m Metric) Unit() string {
	if m == TrainTime {
		return "s"
	}
	return ""
}

// HigherIsBetter reports whether higher values of the metric are better.
func (m Metric) HigherIsBetter() bool { return m == ValAcc || m == F1 }

// Of returns the metric's value in a row.
func (m Metric) Of(r Row) float64 { return *m.field(&r) }

// field returns where a row keeps the metric.
func (m Metric) field(r *Row) *float64 {
	switch m {
	case ValLoss:
		return &r.ValLoss
	case ValAcc:
		return &r.ValAcc
	case F1:
		return &r.F1
	case TrainTime:
		return &r.TrainTime
	}
	panic(fmt.Sprintf("report: metric %d does not exist", int(m)))
}

// unusable returns why a row cannot enter a mean, or "" when it can.
func (r Row) unusable() string {
	if r.Status != Finished {
		if r.Note == "" {
			return string(r.Status)
		}
		return fmt.Sprintf("%s: %s", r.Status, r.Note)
	}
	for _, m := range Metrics() {
		if v := m.Of(r); math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprintf("finished with %s %g", m, v)
		}
	}
	return ""
}
