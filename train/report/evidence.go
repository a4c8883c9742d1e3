package report

import (
	"errors"
	"math"

	"diaghess/train/stats"
)

// Evidence has the statistics of a line's pairs other than its t-test. The p values of the
// t-tests are one family over the whole analysis, those of the tests of spread
// another; all others are as they come from one test.
type Evidence struct {
	Interval   Outcome[stats.Interval]           // of the mean difference, by Student's t
	HolmP      float64                           // the t-test's p, adjusted over the family; NaN for none
	Wilcoxon   Outcome[stats.WilcoxonResult]     // by ranks
	SignFlip   Outcome[stats.SignFlipResult]     // by permutation
	BCa        Outcome[stats.BCaResult]          // the interval by bootstrap
	Dz         Outcome[stats.CohenDzResult]      // the difference in standard deviations
	Pairing    Outcome[stats.PairingResult]      // what pairing by seed bought
	Spread     Outcome[stats.PitmanMorganResult] // whether one arm varies more
	SpreadP    float64                           // its p, adjusted over its family; NaN for none
	Ratio      Outcome[Ratio]                    // rival to baseline
	Detectable Outcome[float64]                  // the smallest true difference that so many pairs find with a probability of detectPower
}

// Outcome is the result of a statistic, or the reason why there is none.
type Outcome[T any] struct {
	Result T
	Err    error
}

func outcomeOf[T any](result T, err error) Outcome[T] { return Outcome[T]{result, err} }

// The levels of all intervals and of the power.
const (
	confidence  = 0.95
	detectPower = 0.8
)

// newEvidence examines a line whose values are set.
func newEvidence(l Line) Evidence {
	x, y := l.RivalValues, l.BaselineValues
	if len(x) == 0 {
		return noEvidence(l.Untested)
	}
	e := Evidence{
		HolmP:    math.NaN(),
		SpreadP:  math.NaN(),
		Wilcoxon: outcomeOf(stats.Wilcoxon(x, y)),
		SignFlip: outcomeOf(stats.SignFlip(x, y, stats.Draws{})),
		BCa:      outcomeOf(stats.BCa(x, y, confidence, stats.Draws{})),
		Dz:       outcomeOf(stats.CohenDz(x, y, confidence)),
		Pairing:  outcomeOf(stats.Pairing(x, y, confidence)),
		Spread:   outcomeOf(stats.PitmanMorgan(x, y, confidence)),
		Ratio:    outcomeOf(newRatio(x, y)),
	}
	e.Interval.Err = l.Untested
	if l.Untested == nil {
		e.Interval.Result = l.Test.Interval(confidence)
	}
	e.Detectable = outcomeOf(detectable(l, len(x)))
	return e
}

// noEvidence is that of a line without pairs, for a reason.
func noEvidence(reason error) Evidence {
	e := Evidence{HolmP: math.NaN(), SpreadP: math.NaN()}
	e.Interval.Err, e.Wilcoxon.Err, e.SignFlip.Err, e.BCa.Err, e.Dz.Err = reason, reason, reason, reason, reason
	e.Pairing.Err, e.Spread.Err, e.Ratio.Err, e.Detectable.Err = reason, reason, reason, reason
	return e
}

// detectable returns the smallest true difference that n pairs would find with a
// probability of detectPower, if they spread as those of the line do.
func detectable(l Line, n int) (float64, error) {
	if l.Untested != nil {
		return math.NaN(), l.Untested
	}
	return stats.SmallestDifference(n, l.Test.SDDifference, significantP, detectPower)
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

// adjust sets the p values that depend on how many tests the analysis makes: Holm's
// over every metric, data set and rival, training time included because it is
// tested like the others. A test that could not be made is no member.
func (a *Analysis) adjust() error {
	var tested, spread []*Line
	var testP, spreadP []float64
	for i := range a.Comparisons {
		for j := range a.Comparisons[i].Lines {
			l := &a.Comparisons[i].Lines[j]
			if l.Untested == nil {
				tested, testP = append(tested, l), append(testP, l.Test.P)
			}
			if e := l.Evidence.Spread; e.Err == nil {
				spread, spreadP = append(spread, l), append(spreadP, e.Result.P)
			}
		}
	}
	a.Tests, a.SpreadTests = len(tested), len(spread)
	adjusted, err := stats.Holm(testP)
	if err != nil {
		return err
	}
	for i, l := range tested {
		l.Evidence.HolmP = adjusted[i]
	}
	adjusted, err = stats.Holm(spreadP)
	if err != nil {
		return err
	}
	for i, l := range spread {
		l.Evidence.SpreadP = adjusted[i]
	}
	return nil
}
