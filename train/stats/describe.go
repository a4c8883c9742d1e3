package stats

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
)

// ErrNotFinite is returned, wrapped with its place, for a sample that holds a
// NaN or an infinity, or whose moments overflow a float64.
var ErrNotFinite = errors.New("not a finite number")

// ErrEmpty is returned for a sample without values.
var ErrEmpty = errors.New("the sample is empty")

// Summary describes a sample.
type Summary struct {
	N    int     // number of values
	Mean float64 // arithmetic mean
	SD   float64 // sample standard deviation (divisor N−1); NaN when N is 1
}

// Describe returns the size, mean and sample standard deviation of x.
//
// The deviation has the divisor N−1, like pandas' std and R's sd. It is computed in two
// passes with a correction for the rounding of the mean (Chan, Golub and LeVeque,
// "Algorithms for computing the sample variance", The American Statistician 37, 1983).
//
// It returns ErrEmpty when x has no values and ErrNotFinite when x holds a NaN
// or an infinity or is so large that its moments overflow.
func Describe(x []float64) (Summary, error) {
	if len(x) == 0 {
		return Summary{}, ErrEmpty
	}
	if err := checkFinite("value", x); err != nil {
		return Summary{}, err
	}
	mean, sd := stat.MeanStdDev(x, nil)
	// A single value leaves no degree of freedom: 0/0 is the NaN of the contract.
	if math.IsInf(mean, 0) || math.IsInf(sd, 0) || math.IsNaN(sd) && len(x) > 1 {
		return Summary{}, fmt.Errorf("moments of %d values: %w", len(x), ErrNotFinite)
	}
	return Summary{N: len(x), Mean: mean, SD: sd}, nil
}

// MeanInterval returns Student's interval of the mean at a level, such as 0.95. It panics for
// fewer than 2 values and for a level outside (0, 1).
func (s Summary) MeanInterval(level float64) Interval {
	mustBeFraction("MeanInterval", "level", level)
	if s.N < 2 {
		panic(fmt.Sprintf("stats: MeanInterval of %d values", s.N))
	}
	half := studentUpper((1-level)/2, float64(s.N-1)) * s.SD / math.Sqrt(float64(s.N))
	return Interval{Level: level, Low: s.Mean - half, High: s.Mean + half}
}

// PredictMean returns the interval which holds the mean of n new values of the same normal population
// with the probability level, such as 0.95:
//
//	mean ± t(1 − (1−level)/2; N−1) · SD · √(1/N + 1/n)
//
// A replication whose mean lies outside contradicts the sample; one whose mean lies inside need not
// confirm it. Source: Patil, Peng and Leek, "What should researchers expect when they replicate
// studies?", Perspectives on Psychological Science 11, 2016. It panics for a sample of fewer than 2 values, for n below
// 1 and for a level outside (0, 1).
func (s Summary) PredictMean(n int, level float64) Interval {
	mustBeFraction("PredictMean", "level", level)
	if s.N < 2 || n < 1 {
		panic(fmt.Sprintf("stats: PredictMean of %d values from %d", n, s.N))
	}
	half := studentUpper((1-level)/2, float64(s.N-1)) * s.SD * math.Sqrt(1/float64(s.N)+1/float64(n))
	return Interval{Level: level, Low: s.Mean - half, High: s.Mean + half}
}

func checkFinite(name string, x []float64) error {
	for i, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%s %d of %d is %g: %w", name, i+1, len(x), v, ErrNotFinite)
		}
	}
	return nil
}
