package report

import (
	"cmp"
	"diaghess/train/record"
	"fmt"
	"math"
	"strconv"
)

// Row is the outcome of one run: one optimizer, one data set, one seed.
type Row struct {
	Dataset   string
	Seed      int
	Optimizer string // the arm's name, as it appears in the tables
	// Arm is Optimizer where it was tuned several times, whichever settings a tuning found, and
	// else empty. Tuning is the number of the run's tuning, from 1; 0 without Arm. A CSV file's arm is its optimizer.
	Arm    string
	Tuning int

	// The metrics, by the run's endpoint. They count only when Status is Finished.
	ValLoss   float64 // mean cross-entropy on the validation set
	ValAcc    float64 // accuracy on the validation set, 0 to 1
	F1        float64 // macro F1 on the validation set, 0 to 1
	TrainTime float64 // seconds

	Status   record.Status
	Note     string // why a run did not finish, in a few words; may be empty
	Epochs   int    // number of epochs trained; 0 where it is not known
	Limit    int    // trained on the first Limit pictures only; 0 for all of them
	Measured Measured
	Build    string // the program that made the run; empty where it is not known
	Source   string // where the row was read, as file:line or a path, for messages

	run   *record.Ended   // the run's record; nil for a row of a CSV file
	study *record.Content // that it is a part of; nil likewise
}

// Measured says which pictures the metrics of a row are of. It is zero where that is not
// known.
type Measured struct {
	Protocol string // record.ProtocolPilot or record.ProtocolHoldout
	Test     bool   // of the test set, looked at once; under the holdout protocol
	Augment  string // what the training pictures were augmented by; empty for nothing
	When     string // see record.Endpoint.Words; empty for after the last epoch
	Average  string // of the weights, see record.Average; empty for none
}

// String is Measured in words.
func (m Measured) String() string {
	var words string
	when := cmp.Or(m.When, record.EndpointLast.Words(0))
	switch {
	case m == Measured{}:
		return ""
	case m.Protocol == record.ProtocolPilot:
		words = "Measured on the test set, which is the validation set too, " + when
	case m.Test:
		words = "Measured on the test set once, " + when
	default:
		words = "Measured on training pictures kept aside, " + when + "; the test set was not looked at"
	}
	if m.Average != "" {
		words += "; with averaged weights, " + m.Average
	}
	if m.Augment != "" {
		words += "; trained on pictures augmented by " + m.Augment
	}
	return words
}

// ReadFolder reads the ended runs of a study's folder, of a part of it, of a folder above
// several, or of a zip archive of one; see [record.Read].
func ReadFolder(path string) ([]Row, error) {
	studies, err := record.Read(path)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for i := range studies {
		for j := range studies[i].Runs {
			rows = append(rows, rowOf(&studies[i], &studies[i].Runs[j]))
		}
	}
	return rows, nil
}

// MissingShards returns the shards that the studies of some runs lack.
func MissingShards(rows []Row) (shards []string) {
	seen := map[*record.Content]bool{}
	for _, row := range rows {
		if row.study != nil && !seen[row.study] {
			seen[row.study] = true
			shards = append(shards, row.study.Missing...)
		}
	}
	return shards
}

// rowOf is a run as a line of the tables: of the test set where it was kept for the end.
func rowOf(study *record.Content, run *record.Ended) Row {
	f := run.Final
	r := Row{
		Dataset: f.Dataset, Seed: f.Seed, Optimizer: run.Config.Name(), Arm: run.Config.Arm, Tuning: run.Config.Tuning, Status: f.Status, Note: f.Note,
		ValLoss: f.ValLoss, ValAcc: f.ValAcc, F1: f.F1, TrainTime: f.TrainTime,
		Epochs: f.Epochs, Limit: f.Limit, Source: run.Source, Build: f.Build.String(),
		Measured: Measured{Protocol: f.Protocol, Test: f.Test != nil}, run: run, study: study,
	}
	if f.Augment != record.AugmentNone {
		r.Measured.Augment = f.Augment
	}
	endpoint := f.Endpoint
	if f.Test != nil {
		endpoint = endpoint.Tested()
		r.ValLoss, r.ValAcc, r.F1 = f.Test.Loss, f.Test.Acc, f.Test.F1
	}
	if words := endpoint.Words(run.Config.Epochs); words != record.EndpointLast.Words(0) {
		r.Measured.When = words
	}
	if a := run.Config.Average; a != record.AverageNone {
		r.Measured.Average = string(a)
	}
	return r
}

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

// impossible says why no run can have a value of the metric, or "".
func (m Metric) impossible(v float64) string {
	switch share := m == ValAcc || m == F1; {
	case share && v > 1 && v <= 100:
		return fmt.Sprintf("%g is not between 0 and 1: write percents as shares, here %s, in all rows", v, strconv.FormatFloat(v/100, 'g', 6, 64))
	case share && !(v >= 0 && v <= 1):
		return fmt.Sprintf("%g is not between 0 and 1: correct it, or leave the run out", v)
	case v < 0:
		return fmt.Sprintf("%g is below 0, and a %s is not: correct it, or leave the run out", v, m.Title())
	}
	return ""
}

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

// largest is the most that a metric may be: squares and sums of what is larger overflow.
const largest = 1e100

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// unusable returns why a row cannot enter a mean, or "" when it can.
func (r Row) unusable() string {
	if r.Status != record.Finished {
		if r.Note == "" {
			return string(r.Status)
		}
		return fmt.Sprintf("%s: %s", r.Status, r.Note)
	}
	for _, m := range Metrics() {
		if v := m.Of(r); !(math.Abs(v) <= largest) {
			return fmt.Sprintf("finished with %s %g", m, v)
		}
	}
	return ""
}
