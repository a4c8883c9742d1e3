package stats

import (
	"cmp"
	"math"
	"slices"

	"diaghess/kernels"
	"gonum.org/v1/gonum/floats"
)

// flipTolerance is how far below the observed u a u still counts as equal. Sums of up to 20
// units stay below √20 < 8, so that 20 additions are off by at most 20·2^-51 < 1e-14.
const flipTolerance = 1e-9

// flips is a family made ready for sign flips: its cells in descending order of u.
type flips struct {
	order     []int       // of each place: the cell
	rows      [][]float64 // [unit][place]: difference over the norm of its cell, 0 where there is none
	threshold []float64   // u, less the tolerance
}

// newFlips arranges differences. units has a number for each pair of each cell.
func newFlips(cells []pairs, units [][]int) flips {
	var numbers []int
	for _, u := range units {
		numbers = append(numbers, u...)
	}
	slices.Sort(numbers) // the result must not depend on the order of pairs
	numbers = slices.Compact(numbers)

	m := len(cells)
	rows := make([][]float64, len(numbers))
	for i := range rows {
		rows[i] = make([]float64, m)
	}
	tolerance, observed := make([]float64, m), make([]float64, m)
	for c, p := range cells {
		d := slices.Clone(p.difference)
		for i, v := range d {
			if math.Abs(v) <= p.rounding {
				d[i] = 0
			}
		}
		tolerance[c] = flipTolerance
		if norm := floats.Norm(d, 2); norm > 0 {
			tolerance[c] = max(tolerance[c], p.sumRounding()/norm)
			for i, v := range d {
				row, _ := slices.BinarySearch(numbers, units[c][i])
				rows[row][c] = v / norm
			}
		}
		for _, row := range rows {
			observed[c] += row[c]
		}
		observed[c] = math.Abs(observed[c])
	}

	f := flips{order: make([]int, m), rows: rows, threshold: make([]float64, m)}
	for c := range f.order {
		f.order[c] = c
	}
	slices.SortStableFunc(f.order, func(a, b int) int { return cmp.Compare(observed[b], observed[a]) })
	for i, row := range rows {
		sorted := make([]float64, m)
		for place, c := range f.order {
			sorted[place] = row[c]
		}
		rows[i] = sorted
	}
	for place, c := range f.order {
		f.threshold[place] = observed[c] - tolerance[c]
	}
	return f
}

// adjustedP returns the step-down p of each cell, and the number of random patterns, 0
// where all were counted.
func (f flips) adjustedP(draws Draws) (p []float64, sampled int) {
	count := make([]int, len(f.order))
	var share func(reached int) float64
	if n := len(f.rows); n <= signFlipExact {
		f.countAll(count)
		share = func(reached int) float64 { return math.Ldexp(float64(reached), 1-n) }
	} else {
		sampled = draws.number()
		f.countSampled(count, sampled, draws.Seed)
		share = func(reached int) float64 { return float64(1+reached) / float64(sampled+1) }
	}
	p, largest := make([]float64, len(f.order)), 0.0
	for place, c := range f.order {
		largest = max(largest, share(count[place]))
		p[c] = largest
	}
	return p, sampled
}

// tabled is the number of units whose patterns countAll holds in a table.
const tabled = 8

// countAll counts, for each place, the patterns in which the largest u of it and of the
// places after it reaches the threshold. The last unit keeps its sign, since the mirror
// image of a pattern has the same |sum|. The sums of the first units are the same for each
// pattern of the others, so they are computed once. Numbers that are not negative are
// compared by their bits, as integers, which needs no branch.
func (f flips) countAll(count []int) {
	last := len(f.rows) - 1
	low := min(tabled, last)
	sums := make([][]float64, len(count)) // [place][pattern of the first units]
	for c := range sums {
		sums[c] = []float64{0}
		for _, row := range f.rows[:low] {
			for i, v := range sums[c] {
				sums[c][i] = v + row[c]
				sums[c] = append(sums[c], v-row[c])
			}
		}
	}
	top := make([]int64, 1<<low)
	for high := range 1 << (last - low) {
		clear(top)
		for c := len(count) - 1; c >= 0; c-- {
			others := f.rows[last][c]
			for i, row := range f.rows[low:last] {
				if high>>i&1 == 0 {
					others += row[c]
				} else {
					others -= row[c]
				}
			}
			threshold, reached := int64(math.Float64bits(max(0, f.threshold[c]))), 0
			for i, v := range sums[c][:len(top)] {
				top[i] = max(top[i], int64(math.Float64bits(math.Abs(v+others))))
				if top[i] >= threshold {
					reached++
				}
			}
			count[c] += reached
		}
	}
}

// countSampled is countAll of random patterns. A random word holds the signs of 32 units.
func (f flips) countSampled(count []int, draws int, seed uint64) {
	stream := kernels.RandomStream("stats/maxT")
	sums := make([]float64, len(count))
	for draw := range draws {
		clear(sums)
		var words [4]uint32
		for i, row := range f.rows {
			if i%128 == 0 {
				words = kernels.Random(seed, stream, uint32(i/128), uint64(draw))
			}
			if words[i%128/32]>>(i%32)&1 == 0 {
				floats.Sub(sums, row)
			} else {
				floats.Add(sums, row)
			}
		}
		f.count(count, sums)
	}
}

func (f flips) count(count []int, sums []float64) {
	top := 0.0
	for c := len(sums) - 1; c >= 0; c-- {
		if u := math.Abs(sums[c]); u > top { // max would look for NaN
			top = u
		}
		if top >= f.threshold[c] {
			count[c]++
		}
	}
}
