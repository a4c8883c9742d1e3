package stats

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"diaghess/kernels"
	"gonum.org/v1/gonum/stat/distuv"
)

// The test of the tests: on simulated pairs of which the truth is known, how
// often does each test call a difference that is not there, and how often does
// each interval hold the truth?

const (
	simulations     = 10_000
	calibrationSeed = 1
	// wrongAlarm is the probability that the table fails a program that is right.
	wrongAlarm = 0.01
)

func TestCalibration(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	table := calibrations()
	rates := make([][]float64, len(table)) // of each line's events
	cells := 0
	t.Run("simulate", func(t *testing.T) {
		for place, c := range table {
			cells += len(c.want)
			t.Run(fmt.Sprintf("%s/%s/%d pairs", c.test.name, c.data.name, c.n), func(t *testing.T) {
				t.Parallel()
				rates[place] = c.simulate(t, kernels.RandomStream(fmt.Sprintf("calibration/%d", place)))
			})
		}
	})

	// Bonferroni's bound over the cells, two-sided.
	z := -distuv.UnitNormal.Quantile(wrongAlarm / 2 / float64(cells))
	var log strings.Builder
	for place, c := range table {
		for i, want := range c.want {
			// The binomial error here and, where what is wanted was simulated, there.
			bound := z * math.Sqrt(want.rate*(1-want.rate)*(1.0/simulations+want.error))
			row := fmt.Sprintf("%-24s %-21s n = %2d  %-21s %5.2f %%, expected %5.2f ± %.2f %%",
				c.test.name, c.data.name, c.n, c.test.events[i], 100*rates[place][i], 100*want.rate, 100*bound)
			fmt.Fprintln(&log, row)
			if math.Abs(rates[place][i]-want.rate) > bound {
				t.Errorf("seed %d: %s", calibrationSeed, row)
			}
		}
	}
	t.Logf("%d simulations a line; ± is %.2f standard errors, so that a program that is right fails somewhere with probability %g:\n%s",
		simulations, z, wrongAlarm, log.String())
}

// simulate returns how often each of the test's events happened.
func (c calibration) simulate(t *testing.T, stream uint32) []float64 {
	r := random{stream: stream}
	x, y := zeros(c.n), zeros(c.n)
	rates := zeros(len(c.want))
	for simulation := range simulations {
		c.data.draw(&r, x, y)
		happened, err := c.test.run(x, y, uint64(simulation))
		if err != nil {
			t.Fatalf("seed %d, simulation %d: %v", calibrationSeed, simulation, err)
		}
		for i := range rates {
			if happened[i] {
				rates[i] += 1.0 / simulations
			}
		}
	}
	return rates
}

// calibration is a line of the table: a test of n simulated pairs.
type calibration struct {
	test calibratedTest
	data simulatedData
	n    int
	want []expected // of each of the test's events
}

type calibratedTest struct {
	name   string
	events []string
	run    func(x, y []float64, seed uint64) ([]bool, error) // which events happened
}

type simulatedData struct {
	name string
	draw func(r *random, x, y []float64)
}

// expected is how often an event should happen.
type expected struct {
	rate  float64
	error float64 // 1 / simulations that it comes of, 0 for a theorem
}

func theorem(rate float64) []expected { return []expected{{rate: rate}} }

// simulated are rates that NumPy 2.4.6 and SciPy 1.17.1 found in so many simulations.
func simulated(simulations float64, rates ...float64) []expected {
	var want []expected
	for _, rate := range rates {
		want = append(want, expected{rate, 1 / simulations})
	}
	return want
}

// The true effects of the lines that have one.
const (
	shift    = 0.7 // mean difference, in standard deviations
	margin   = 2.0
	findable = 0.9960013714554438 // with power 0.8 by ten pairs: SciPy, see TestDetectableKnownAnswers
	family   = 8                  // tests of Holm's lines
)

func calibrations() []calibration {
	// The largest levels up to 5 % that exact tests of few pairs have. Sign flips: 2·⌊0.025·2^n⌋
	// patterns of 2^n. Wilcoxon: 2·P(W ≤ 8), 2·P(W ≤ 52), 2·P(W ≤ 89) and 2·P(W ≤ 137), counted by a recursion over W in
	// Python.
	const (
		flips5, flips10, flips20                   = 0, 50.0 / 1024, 52428.0 / 1048576
		ranks5, ranks10, ranks20, ranks25, ranks30 = 0, 50.0 / 1024, 50794.0 / 1048576, 1619418.0 / 33554432, 53375836.0 / 1073741824
	)
	return []calibration{
		{tTest, normal, 5, theorem(0.05)},
		{tTest, normal, 10, theorem(0.05)},
		{tTest, normal, 20, theorem(0.05)},
		// t of numpy.random.laplace.
		{tTest, skewed, 5, simulated(1e6, 0.034292)},
		{tTest, skewed, 10, simulated(1e6, 0.041876)},
		{tTest, skewed, 20, simulated(1e6, 0.046614)},
		{tTest, shiftedBy(findable), 10, theorem(0.8)},
		{tInterval, shiftedBy(shift), 5, theorem(0.95)},
		{tInterval, shiftedBy(shift), 20, theorem(0.95)},

		{wilcoxonTest, normal, 5, theorem(ranks5)},
		{wilcoxonTest, normal, 10, theorem(ranks10)},
		{wilcoxonTest, normal, 20, theorem(ranks20)},
		{wilcoxonTest, normal, 25, theorem(ranks25)},
		{wilcoxonTest, normal, 30, theorem(ranks30)},
		{wilcoxonTest, skewed, 5, theorem(ranks5)},
		{wilcoxonTest, skewed, 10, theorem(ranks10)},
		{wilcoxonTest, skewed, 20, theorem(ranks20)},
		{wilcoxonTest, skewed, 30, theorem(ranks30)},

		{signFlipTest, normal, 5, theorem(flips5)},
		{signFlipTest, normal, 10, theorem(flips10)},
		{signFlipTest, normal, 20, theorem(flips20)},
		{signFlipTest, normal, 25, theorem(0.05)},
		{signFlipTest, skewed, 5, theorem(flips5)},
		{signFlipTest, skewed, 10, theorem(flips10)},

		{dzInterval, shiftedBy(shift), 5, theorem(0.95)},
		{dzInterval, shiftedBy(shift), 20, theorem(0.95)},

		// At the margin itself. The other margin of Equivalence is 4 deviations away.
		{nonInferiorityTest(HigherIsBetter), shiftedBy(-margin), 5, theorem(0.05)},
		{nonInferiorityTest(LowerIsBetter), shiftedBy(margin), 20, theorem(0.05)},
		{equivalenceTest, shiftedBy(margin), 5, theorem(0.05)},
		{equivalenceTest, shiftedBy(-margin), 20, theorem(0.05)},

		// The smallest of m independent p is below α/m with probability 1 − (1−α/m)^m.
		{holmTest(0), normal, 10 * family, theorem(1 - math.Pow(1-0.05/family, family))},
		// Half of the family has an effect that is always found, and leaves α to the other half.
		{holmTest(family / 2), normal, 10 * family, theorem(1 - math.Pow(1-0.05/(family/2), family/2))},
	}
}

// The tests.
var (
	tTest = rejects("PairedT", func(x, y []float64, _ uint64) (float64, error) {
		r, err := PairedT(x, y)
		return r.P, err
	})
	tInterval = covers("PairedTResult.Interval", func(x, y []float64, _ uint64) ([]bool, error) {
		r, err := PairedT(x, y)
		return []bool{holds(r.Interval(0.95), shift)}, err
	})
	wilcoxonTest = rejects("Wilcoxon", func(x, y []float64, _ uint64) (float64, error) {
		r, err := Wilcoxon(x, y)
		return r.P, err
	})
	// (199 + 1)·0.05 is whole, so that drawn patterns meet the level too.
	signFlipTest = rejects("sign flips", func(x, y []float64, seed uint64) (float64, error) {
		pairs, err := checkPairs(x, y)
		if err != nil {
			return 0, err
		}
		p, _ := flipP(pairs.difference, pairs.sumRounding(), Draws{N: 199, Seed: seed})
		return p, nil
	})
	dzInterval = covers("CohenDz", func(x, y []float64, _ uint64) ([]bool, error) {
		r, err := CohenDz(x, y, 0.95)
		return []bool{holds(r.Interval, shift)}, err
	})
	equivalenceTest = rejects("Equivalence", func(x, y []float64, _ uint64) (float64, error) {
		r, err := Equivalence(x, y, margin, 0.05)
		return r.P, err
	})
)

func nonInferiorityTest(direction Direction) calibratedTest {
	return rejects("NonInferiority", func(x, y []float64, _ uint64) (float64, error) {
		r, err := NonInferiority(x, y, direction, margin, 0.05)
		return r.P, err
	})
}

// holmTest divides its pairs into a family of t-tests, of which the first so
// many have an effect. It rejects when any of the others does.
func holmTest(effects int) calibratedTest {
	return rejects(fmt.Sprintf("Holm of %d, %d effects", family, effects), func(x, y []float64, _ uint64) (float64, error) {
		p := make([]float64, family)
		n := len(x) / family
		for i := effects; i < family; i++ {
			r, err := PairedT(x[i*n:(i+1)*n], y[i*n:(i+1)*n])
			if err != nil {
				return 0, err
			}
			p[i] = r.P
		}
		adjusted, err := Holm(p)
		if err != nil {
			return 0, err
		}
		return slices.Min(adjusted[effects:]), nil
	})
}

func rejects(name string, p func(x, y []float64, seed uint64) (float64, error)) calibratedTest {
	return calibratedTest{name, []string{"p ≤ 5 %"}, func(x, y []float64, seed uint64) ([]bool, error) {
		p, err := p(x, y, seed)
		return []bool{p <= 0.05}, err
	}}
}

func covers(name string, run func(x, y []float64, seed uint64) ([]bool, error)) calibratedTest {
	return calibratedTest{name, []string{"95 % interval"}, run}
}

func holds(i Interval, truth float64) bool { return i.Low <= truth && truth <= i.High }

// The data. The arms of a pair share what a seed gives to both.
var (
	// Arms of variance 1 and correlation ½: the differences are standard normal.
	normal = simulatedData{"normal arms", func(r *random, x, y []float64) {
		for i := range x {
			common, a, b := r.normal(), r.normal(), r.normal()
			x[i], y[i] = (common+a)/math.Sqrt2, (common+b)/math.Sqrt2
		}
	}}
	// Sums of two exponential variables, correlation ½. As the arms are alike, their
	// differences are symmetric: they have Laplace's distribution.
	skewed = simulatedData{"skewed arms", func(r *random, x, y []float64) {
		for i := range x {
			common := r.exponential()
			x[i], y[i] = common+r.exponential(), common+r.exponential()
		}
	}}
)

func shiftedBy(difference float64) simulatedData {
	return simulatedData{fmt.Sprintf("normal, shift %.3g", difference), func(r *random, x, y []float64) {
		normal.draw(r, x, y)
		for i := range x {
			x[i] += difference
		}
	}}
}

// random draws numbers one after the other.
type random struct {
	stream uint32
	index  uint64
	words  [4]uint32
	spare  float64 // a normal number
	spared bool
}

// uniform returns a number between 0 and 1, neither of them.
func (r *random) uniform() float64 {
	if r.index%4 == 0 {
		r.words = kernels.Random(calibrationSeed, r.stream, 0, r.index/4)
	}
	word := r.words[r.index%4]
	r.index++
	return (float64(word) + 0.5) / (1 << 32)
}

func (r *random) exponential() float64 { return -math.Log(r.uniform()) }

// normal is Box and Muller's method ("A note on the generation of random normal
// deviates", Annals of Mathematical Statistics 29, 1958).
func (r *random) normal() float64 {
	if r.spared {
		r.spared = false
		return r.spare
	}
	radius := math.Sqrt(2 * r.exponential())
	sin, cos := math.Sincos(2 * math.Pi * r.uniform())
	r.spare, r.spared = radius*sin, true
	return radius * cos
}
