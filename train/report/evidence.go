package report

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"diaghess/train/stats"
)

// Evidence is what the pairs of a comparison say of the primary metric: the verdict of the
// family and, for comparison, other statistics of the same pairs.
type Evidence struct {
	stats.CellResult
	Look          stats.Look   // at which they were; without planned looks all units
	Method        stats.Method // of that look
	Claim         Claim
	Wins          int // units with which the rival is better
	HodgesLehmann Outcome[stats.HodgesLehmannResult]
	Wilcoxon      Outcome[stats.WilcoxonResult]
	Interquartile Outcome[stats.OverallResult] // difference of interquartile means
	Improvement   Outcome[stats.OverallResult] // probability that a run of the rival is better
	Pairing       Outcome[stats.PairingResult] // what pairing bought
	Spread        Outcome[stats.SpreadResult]  // whether one arm varies more
	Detectable    Outcome[float64]             // the true difference that is found with a probability of detectPower
	Time          Outcome[Ratio]               // training time, rival to baseline
}

// Outcome is the result of a statistic, or the reason why there is none.
type Outcome[T any] struct {
	Result T
	Err    error
}

func outcomeOf[T any](result T, err error) Outcome[T] { return Outcome[T]{result, err} }

// The level of the intervals that are not adjusted, and of the power.
const (
	confidence  = 0.95
	detectPower = 0.8
)

// mostResampled is of how many pairs at most there are statistics whose time grows with
// the square of their number.
const mostResampled = 200

var errManyPairs = fmt.Errorf("not computed for more than %d pairs", mostResampled)

// cell is the comparison of a metric by its units.
func (c Comparison) cell(m Metric) stats.Cell {
	return stats.Cell{Units: c.units(), Rival: c.Lines[m].RivalValues, Baseline: c.Lines[m].BaselineValues}
}

// direction is which values of the metric are better.
func (m Metric) direction() stats.Direction {
	if m.HigherIsBetter() {
		return stats.HigherIsBetter
	}
	return stats.LowerIsBetter
}

// decide makes the verdicts of all comparisons with a rival, which are one family of the
// primary metric, and the intervals of all metrics.
func (a *Analysis) decide() error {
	a.Primary = ValAcc
	plan := a.Records.Plan
	if plan != nil {
		a.Primary, _ = metricNamed(plan.Metric)
	}
	for _, m := range Metrics() {
		least := math.Inf(1)
		for _, c := range a.contested() {
			if l := c.Lines[m]; l.Untested == nil {
				least = min(least, l.Test.SDDifference)
			}
		}
		a.digits[m] = decimals(m, least)
	}
	family := stats.Family{Direction: a.Primary.direction()}
	var members []*Comparison
	for i := range a.Comparisons {
		if c := &a.Comparisons[i]; c.Rival != "" {
			members, family.Cells = append(members, c), append(family.Cells, c.cell(a.Primary))
		}
	}
	if len(members) == 0 {
		return nil
	}
	if plan != nil {
		family.Planned = len(plan.Datasets) * (len(plan.Optimizers) - 1)
	}
	a.Cells = max(len(members), family.Planned)
	results, err := a.test(family, members)
	if err != nil {
		return err
	}
	last := 0
	for i, c := range members {
		result := results[i]
		if result.Look.Units >= last {
			last, a.Method = result.Look.Units, result.Method
		}
		a.Sampled = max(a.Sampled, result.Sampled)
		for j := range c.Lines {
			l := &c.Lines[j]
			l.Interval = Outcome[stats.Interval]{Err: l.Untested}
			if l.Untested == nil {
				l.Interval.Result = l.Test.Interval(1 - result.Look.Level/float64(a.Cells))
			}
		}
		c.Evidence = newEvidence(c, a.Primary, result.CellResult, result.Look.Level, a.Cells)
		c.Evidence.Look, c.Evidence.Method = result.Look, result.Method
		if a.Reached < len(a.Looks) && undecided(result) {
			c.Evidence.Claim = Undecided
		}
		if margin, ok := a.margin(); ok && c.Evidence.Claim == NotShown && c.Evidence.Err == nil && within(c.Evidence.Interval, margin) {
			c.Evidence.Claim = Equivalent
		}
	}
	a.needless()
	return nil
}

// margin returns the planned margin of the primary metric.
func (a *Analysis) margin() (margin float64, planned bool) {
	if a.Records.Plan != nil {
		margin, planned = a.Records.Plan.Margins[a.Primary.String()]
	}
	return margin, planned
}

// within says whether a whole interval is nearer to zero than a margin.
func within(i stats.Interval, margin float64) bool { return i.Low > -margin && i.High < margin }

func newEvidence(c *Comparison, primary Metric, cell stats.CellResult, alpha float64, cells int) Evidence {
	l := c.Lines[primary]
	x, y := l.RivalValues, l.BaselineValues
	e := Evidence{
		CellResult: cell, Claim: claims()[cell.Decision],
		Wilcoxon: outcomeOf(stats.Wilcoxon(x, y)),
		Pairing:  outcomeOf(stats.Pairing(x, y)),
		Spread:   outcomeOf(stats.Spread(x, y, stats.Draws{})),
		Time:     Outcome[Ratio]{Err: c.times.Err},
	}
	if cell.Decision == stats.NoVerdict && errors.Is(cell.Err, stats.ErrNoSpread) && cell.N >= stats.VerdictFrom {
		e.Claim = Untestable
	}
	for i := range x {
		if x[i] != y[i] && (x[i] > y[i]) == primary.HigherIsBetter() {
			e.Wins++
		}
	}
	e.HodgesLehmann.Err, e.Interquartile.Err, e.Improvement.Err = errManyPairs, errManyPairs, errManyPairs
	if len(x) <= mostResampled {
		units := []stats.Cell{c.cell(primary)}
		e.HodgesLehmann = outcomeOf(stats.HodgesLehmann(x, y, confidence))
		e.Interquartile = outcomeOf(stats.InterquartileDifference(units, confidence, 0))
		e.Improvement = outcomeOf(stats.Improvement(units, primary.direction(), confidence, 0))
	}
	e.Detectable.Err = l.Untested
	if l.Untested == nil {
		found, err := stats.Detectable(cell.N, cells, cell.SD, alpha, detectPower)
		e.Detectable = outcomeOf(found.Difference, err)
	}
	if c.times.Err == nil {
		e.Time = outcomeOf(newRatio(c.Lines[TrainTime].RivalValues, c.Lines[TrainTime].BaselineValues))
	}
	return e
}

// otherLoad is how much a machine's load may be above the threads of a run that has it for
// itself: the program's own work beside them, and the system's.
const otherLoad = 1

// alone says under which load runs were timed, by the ledgers of their studies. It returns an
// error unless no run had another of its study beside it, and the load was the run's own.
func alone(rows []Row) (string, error) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, r := range rows {
		if r.run == nil || r.run.Event == nil {
			return "", errors.New("it is not recorded what ran beside the runs")
		}
		event, threads := r.run.Event, 1
		if _, after, ok := strings.Cut(r.run.Config.Machine, ", "); ok {
			fmt.Sscan(after, &threads)
		}
		switch {
		case event.Beside > 0:
			return "", fmt.Errorf("up to %s of the study were trained side by side", plural(event.Beside+1, "run"))
		case event.Load == 0:
			return "", errors.New("the load of the machine is not recorded")
		case event.Load > float64(threads+otherLoad):
			return "", fmt.Errorf("something else ran on the machine, whose load was %.1f with a run of %s", event.Load, plural(threads, "thread"))
		}
		low, high = min(low, event.Load), max(high, event.Load)
	}
	if len(rows) == 0 {
		return "", errNoPair
	}
	return fmt.Sprintf("no run had another of the study beside it; the machine's load, the run included, was %.1f to %.1f", low, high), nil
}

// Ratio is the ratio of x to y.
type Ratio struct {
	Mean     float64 // geometric mean of x[i]/y[i]
	Interval Outcome[stats.Interval]
}

var errNotPositive = errors.New("a value is not positive: there are no ratios")

func newRatio(x, y []float64) (Ratio, error) {
	logX, logY := make([]float64, len(x)), make([]float64, len(x))
	var sum float64
	for i := range x {
		if x[i] <= 0 || y[i] <= 0 {
			return Ratio{}, errNotPositive
		}
		logX[i], logY[i] = math.Log(x[i]), math.Log(y[i])
		sum += logX[i] - logY[i]
	}
	r := Ratio{Mean: math.Exp(sum / float64(len(x)))}
	test, err := stats.PairedT(logX, logY)
	r.Interval.Err = err
	if err == nil {
		i := test.Interval(confidence)
		r.Interval.Result = stats.Interval{Level: i.Level, Low: math.Exp(i.Low), High: math.Exp(i.High)}
	}
	return r, nil
}
