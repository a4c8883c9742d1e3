package kerneltest

import (
	"fmt"
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
)

func curvatureCases() []Case {
	var cases []Case
	add := func(name string, build func(p *placer) gpu.Kernel) { cases = append(cases, Case{name, build}) }
	for _, n := range lengths {
		add(fmt.Sprintf("square/elements=%d", n), func(p *placer) gpu.Kernel { return square(p, n) })
		for _, squared := range []uint32{0, 1} {
			for _, first := range []uint32{0, 1} {
				add(fmt.Sprintf("curvature_sum/squared=%d,first=%d,elements=%d", squared, first, n),
					func(p *placer) gpu.Kernel { return curvatureSum(p, n, squared, first) })
			}
			for _, sum := range []bool{false, true} {
				for _, average := range []bool{false, true} {
					add(fmt.Sprintf("curvature_average/squared=%d,sum=%t,average=%t,elements=%d", squared, sum, average, n),
						func(p *placer) gpu.Kernel { return curvatureAverage(p, n, squared, sum, average) })
				}
			}
		}
	}
	for _, size := range [][2]int{{1, 1}, {3, 2}, {1, 3}, {7, 31}, {9, 33}, {33, 10}, {257, 100}, {31, 257}} {
		for _, draw := range []uint32{0, 3} {
			add(fmt.Sprintf("sample_labels/rows=%d,classes=%d,draw=%d", size[0], size[1], draw),
				func(p *placer) gpu.Kernel { return sampleLabels(p, size[0], size[1], draw) })
		}
	}
	return cases
}

func square(p *placer, n int) gpu.Kernel {
	x, out := normal(p.random, n, 0, 1), make([]number, n)
	for i, v := range x {
		out[i] = exactly(v).times(exactly(v))
	}
	return &kernels.Square{X: input(p, "X", x), Out: output(p, "Out", out), Elements: int32(n)}
}

// curvatureAverage is the third estimate, at step 11 of one in every 4.
func curvatureAverage(p *placer, n int, squared uint32, sum, average bool) gpu.Kernel {
	const every, step, factor, decay, oneMinusDecay = 4, 11, float32(64), float32(0.99), float32(0.01)
	corrections := []float32{100, 50, 33, 25}
	x, sums, averages := normal(p.random, n, 0, 1), uniform(p.random, n, 0, 1), normal(p.random, n, 0, 1)
	diagonal, wantAverage := make([]number, n), make([]number, n)
	for i, v := range x {
		s := sampleOf(v, factor, squared)
		if sum {
			s = s.plus(exactly(sums[i]))
		}
		if average {
			wantAverage[i] = blend(decay, exactly(averages[i]), oneMinusDecay, s)
			s = wantAverage[i].times(exactly(corrections[step/every]))
		}
		diagonal[i] = s
	}
	k := &kernels.CurvatureAverage{
		X: input(p, "X", x), State: input(p, "State", []uint32{step, 99, 98, 0}),
		Elements: int32(n), Every: every, Squared: squared, Factor: factor, Decay: decay, OneMinusDecay: oneMinusDecay,
	}
	if average {
		k.Average, k.Corrections = update(p, "Average", averages, wantAverage), input(p, "Corrections", corrections)
	}
	if sum {
		k.Sum = input(p, "Sum", sums)
	}
	k.Diagonal = output(p, "Diagonal", diagonal)
	return k
}

// sampleOf is factor x, or factor x^2.
func sampleOf(x, factor float32, squared uint32) number {
	s := exactly(x)
	if squared == 1 {
		s = s.times(s)
	}
	return s.times(exactly(factor))
}

func curvatureSum(p *placer, n int, squared, first uint32) gpu.Kernel {
	const factor = float32(64.0 / 3)
	x, sums := normal(p.random, n, 0, 1), uniform(p.random, n, 0, 1)
	want := make([]number, n)
	for i, v := range x {
		want[i] = sampleOf(v, factor, squared)
		if first == 0 {
			want[i] = want[i].plus(exactly(sums[i]))
		} else {
			sums[i] = float32(math.NaN()) // must not be read
		}
	}
	return &kernels.CurvatureSum{
		X: input(p, "X", x), Sum: update(p, "Sum", sums, want), Elements: int32(n), First: first, Squared: squared, Factor: factor,
	}
}

// sampleLabels wants the class at which the sum of exponentials passes the drawn
// part, and takes either neighbour where rounding leaves that open.
func sampleLabels(p *placer, rows, classes int, draw uint32) gpu.Kernel {
	const seed, step = 1<<40 + 7, 5
	stream := kernels.RandomStream("labels")
	logits := normal(p.random, rows*classes, 0, 2)
	allowed := make([][2]int32, rows)
	for row := range rows {
		x := logits[row*classes:][:classes]
		sum := 0.0
		for _, v := range x {
			sum += math.Exp(float64(v))
		}
		u := float64(kernels.Uniform(kernels.Random(seed, stream, step, uint64(draw)<<32+uint64(row/4))[row%4]))
		// Each of the sums is of positive terms: n additions and an exponential
		// of two units in the last place.
		slack := 2 * float64(classes+4) * unit
		first := func(part float64) int32 {
			upTo := 0.0
			for c, v := range x {
				if upTo += math.Exp(float64(v)); upTo > part {
					return int32(c)
				}
			}
			return int32(classes - 1)
		}
		allowed[row] = [2]int32{first(sum * (u - slack)), first(sum * (u + slack))}
	}
	labels := place(p, "Labels", rows, nil, func(got []int32) error {
		for row, label := range got {
			if label < allowed[row][0] || label > allowed[row][1] {
				return fmt.Errorf("row %d: label %d, want %v", row, label, allowed[row])
			}
		}
		return nil
	})
	return &kernels.SampleLabels{
		Logits: input(p, "Logits", logits), Labels: labels, State: input(p, "State", []uint32{step, 99, 98, 0}),
		Seed: seed, Stream: stream, Draw: draw, Rows: int32(rows), Classes: int32(classes),
	}
}
