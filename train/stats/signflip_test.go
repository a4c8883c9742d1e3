package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// flipsOf returns the p of the mean of x − y.
func flipsOf(t *testing.T, x, y []float64, draws Draws) (p float64, sampled int) {
	t.Helper()
	pairs, err := checkPairs(x, y)
	if err != nil {
		t.Fatal(err)
	}
	return flipP(pairs.difference, pairs.sumRounding(), draws)
}

func TestSignFlipKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		name string
		x, y []float64
		want float64
	}{
		// Fisher, The Design of Experiments, section 21: of 32,768 sums, 863 are at least 314 and
		// as many at most −314.
		{"maize", maize, zeros(15), 1726.0 / 32768},
		// SciPy 1.17.1: permutation_test((d,), mean, permutation_type="samples", n_resamples=inf),
		// of d in whole units of its last decimal.
		{"sleep", sleepX, sleepY, 4.0 / 1024},
		{"depression", depressionX, depressionY, 14.0 / 512},
		// By hand.
		{"smallest p", []float64{1, 2, 4}, zeros(3), 0.25},
		{"no effect", []float64{1, 2, -3}, zeros(3), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, _ := flipsOf(t, c.x, c.y, Draws{}); got != c.want {
				t.Errorf("p = %g, want %g", got, c.want)
			}
		})
	}
}

// Both ends of the exact range against the sign patterns themselves, one by one.
func TestSignFlipCountsAllSigns(t *testing.T) {
	const seed = 2
	random := rand.New(rand.NewPCG(seed, 0))
	for _, n := range []int{3, 4, 13, 20} {
		x, sum := make([]float64, n), 0.0
		for i := range x {
			x[i] = float64(random.IntN(2001) - 900) // whole numbers: sums are exact, with ties
			sum += x[i]
		}
		// In Gray code order one sign changes at a time (Knuth, The Art of Computer Programming 4A, 7.2.1.1).
		signs, flipped, reached := make([]float64, n), 0.0, 0
		for i, v := range x {
			signs[i] = 1
			flipped += v
		}
		for pattern := 1; ; pattern++ {
			if math.Abs(flipped) >= math.Abs(sum) {
				reached++
			}
			if pattern == 1<<n {
				break
			}
			i := 0
			for pattern>>i&1 == 0 {
				i++
			}
			signs[i] = -signs[i]
			flipped += 2 * signs[i] * x[i]
		}
		got, drawn := flipsOf(t, x, zeros(n), Draws{})
		if want := float64(reached) / float64(int(1)<<n); got != want || drawn != 0 {
			t.Errorf("seed %d, n = %d: p = %g of %d draws, want p = %g of all patterns", seed, n, got, drawn, want)
		}
	}
}

// Beyond 20 pairs, against the normal limit: the flipped sum has mean 0 and
// variance Σd². Its fourth cumulant, −2Σd⁴, moves the tail probability, by Edgeworth's
// series, by 2·φ(z)·(z³−3z)·(Σd⁴/12(Σd²)²): that is in the comparison. What is left is of
// order 1/n², 1e-4, against a standard error of √(p(1−p)/100,000).
func TestSignFlipDraws(t *testing.T) {
	// 300 differences take three blocks of random words, and repeat after 128: a block used twice would show.
	const n, draws = 300, 100_000
	x := make([]float64, n)
	sum, squares, fourths := 0.0, 0.0, 0.0
	for i := range x {
		x[i] = math.Sin(2*math.Pi*5*float64(i)/128) + 0.09
		sum += x[i]
		squares += x[i] * x[i]
		fourths += math.Pow(x[i], 4)
	}
	z := math.Abs(sum) / math.Sqrt(squares)
	want := math.Erfc(z/math.Sqrt2) - 2*math.Exp(-z*z/2)/math.Sqrt(2*math.Pi)*(z*z*z-3*z)*fourths/(12*squares*squares)

	got, drawn := flipsOf(t, x, zeros(n), Draws{N: draws, Seed: 3})
	if drawn != draws {
		t.Fatalf("%d draws, want %d", drawn, draws)
	}
	within(t, "p", got, want, 4*math.Sqrt(want*(1-want)/draws)+2e-4)

	again, _ := flipsOf(t, x, zeros(n), Draws{N: draws, Seed: 3})
	other, _ := flipsOf(t, x, zeros(n), Draws{N: draws, Seed: 4})
	if again != got || other == got {
		t.Errorf("p = %g, with the same seed again %g, with another %g", got, again, other)
	}
	if _, all := flipsOf(t, x, zeros(n), Draws{}); all != 9999 {
		t.Errorf("%d draws by default, want 9999", all)
	}
}

// A mean that only the observed signs reach is met by no draw: p is that of the
// sample itself.
func TestSignFlipIsNeverZero(t *testing.T) {
	x := make([]float64, 150) // more than one block of random words holds
	for i := range x {
		x[i] = 1
	}
	if got, _ := flipsOf(t, x, zeros(150), Draws{N: 499}); got != 1.0/500 {
		t.Errorf("p = %g, want 1/500", got)
	}
}
