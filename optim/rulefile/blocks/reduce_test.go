package blocks

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

const columns = len(Columns{})

// folded is the sum of columns first, first + step and so on, as folding by halves adds them: the
// columns of even place, and those of odd place, each folded by themselves.
func folded(sums []float64, first, step int) float64 {
	if step == len(sums) {
		return sums[first]
	}
	return folded(sums, first, 2*step) + folded(sums, first+step, 2*step)
}

// inTurn returns count columns, each with its numbers added in turn.
func inTurn(numbers []float64, count int) []float64 {
	sums := make([]float64, count)
	for q := range sums {
		for i := q; i < len(numbers); i += count {
			sums[q] += numbers[i]
		}
	}
	return sums
}

func sameSum(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b
}

// Chunks of all kinds of lengths, as blocks of a chunk and in any state of the columns.
func TestColumns(t *testing.T) {
	eachKind(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 3))
		for _, n := range append(lengths, columns+1, 2*columns+37, 4*columns) {
			for i, finite := range []bool{true, false} {
				size := []int{Size, columns / 8}[i]
				x := make([]float32, n)
				fillRandom(random, x, false)
				var wide, squares []float64
				for i, v := range x {
					if finite && (v != v || math.IsInf(float64(v), 0)) {
						v = 1.5
						x[i] = v
					}
					wide = append(wide, float64(v))
					squares = append(squares, float64(v)*float64(v))
				}
				var c, s Columns
				first := 0
				for block := range slices.Chunk(x, size) {
					c.Add(first%columns, Operand{Block: block}, len(block))
					s.AddSquares(first%columns, Operand{Block: block}, len(block))
					first += size
				}
				name := fmt.Sprintf("%d elements (seed %d)", n, seed)
				for i, want := range inTurn(wide, columns) {
					if !sameSum(c[i], want) {
						t.Fatalf("%s: column %d is %g, want %g", name, i, c[i], want)
					}
				}
				if got, want := c.Fold(), folded(inTurn(wide, columns), 0, 1); !sameSum(got, want) {
					t.Fatalf("%s: sum %g, want %g", name, got, want)
				}
				if got, want := s.Fold(), folded(inTurn(squares, columns), 0, 1); !sameSum(got, want) {
					t.Fatalf("%s: sum of squares %g, want %g", name, got, want)
				}
				if got, want := Sum(wide), folded(inTurn(wide, Partials), 0, 1); !sameSum(got, want) {
					t.Fatalf("%s: sum of partial sums %g, want %g", name, got, want)
				}
			}
		}
	})
}

// A number is added for n elements.
func TestColumnsOfNumber(t *testing.T) {
	eachKind(t, func(t *testing.T) {
		for _, n := range lengths {
			var c, s Columns
			c.Add(0, Operand{Number: 3}, n)
			s.AddSquares(0, Operand{Number: 3}, n)
			if got, squares := c.Fold(), s.Fold(); got != float64(3*n) || squares != float64(9*n) {
				t.Fatalf("%d times 3: sum %g and of squares %g", n, got, squares)
			}
		}
	})
}

// What a sum is tells its order: 2^60 + 1 is 2^60.
func TestOrderOfSum(t *testing.T) {
	const big = 1 << 60
	for _, c := range []struct {
		name    string
		numbers map[int]float32
		want    float64
	}{
		{"a column is added in turn", map[int]float32{0: big, columns: 1, 2 * columns: -big}, 0},
		{"and not from the end", map[int]float32{0: big, columns: -big, 2 * columns: 1}, 1},
		{"columns fold later", map[int]float32{0: big, 1: 1, columns: -big}, 1},
		{"the upper half first", map[int]float32{0: big, 512: -big, 256: 1}, 1},
		{"the neighbour last", map[int]float32{0: big, 1: -big, 512: 1}, 0},
		{"a small half too", map[int]float32{0: big, 4: -big, 2: 1}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachKind(t, func(t *testing.T) {
				var x [4 * columns]float32
				for i, v := range c.numbers {
					x[i] = v
				}
				var sums Columns
				for block := range slices.Chunk(x[:], columns) {
					sums.Add(0, Operand{Block: block}, columns)
				}
				if got := sums.Fold(); got != c.want {
					t.Errorf("%g, want %g", got, c.want)
				}
			})
		})
	}
}

func TestExtremes(t *testing.T) {
	nan, infinity := float32(math.NaN()), float32(math.Inf(1))
	negativeZero := float32(math.Copysign(0, -1))
	eachKind(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 4))
		check := func(name string, x Operand, n int, least, greatest float32) {
			t.Helper()
			if got := Least(x, n); !same(math.Float32bits(got), math.Float32bits(least), true) {
				t.Fatalf("least of %s, %d elements: %g, want %g", name, n, got, least)
			}
			if got := Greatest(x, n); !same(math.Float32bits(got), math.Float32bits(greatest), true) {
				t.Fatalf("greatest of %s, %d elements: %g, want %g", name, n, got, greatest)
			}
		}
		for _, n := range lengths {
			if n == 0 {
				check("none", Operand{}, 0, infinity, -infinity)
				check("none", Operand{Block: []float32{}}, 0, infinity, -infinity)
				continue
			}
			x := make([]float32, n+1)
			for i := range x {
				x[i] = float32(random.NormFloat64())
			}
			x[n] = nan // behind the elements
			block := Operand{Block: x}
			sorted := slices.Sorted(slices.Values(x[:n]))
			check("numbers", block, n, sorted[0], sorted[n-1])
			check("a number", Operand{Number: -3}, n, -3, -3)
			for i := range n {
				before := x[i]
				x[i] = nan
				check(fmt.Sprintf("numbers with NaN at %d", i), block, n, nan, nan)
				x[i] = -infinity
				check(fmt.Sprintf("numbers with -Inf at %d", i), block, n, -infinity, max(-infinity, slices.Max(x[:n])))
				x[i] = infinity
				check(fmt.Sprintf("numbers with Inf at %d", i), block, n, slices.Min(x[:n]), infinity)
				x[i] = before
			}
			for i := range n {
				x[i] = negativeZero
			}
			check("negative zeros", block, n, 0, 0)
			check("a negative zero", Operand{Number: negativeZero}, n, 0, 0)
			x[n/2] = 0
			check("zeros", block, n, 0, 0)
			x[n-1] = 1
			if n > 1 {
				check("zeros and 1", block, n, 0, 1)
			}
		}
	})
}
