package kerneltest

import (
	"fmt"
	"math"

	"diaghess/gpu"
	"diaghess/kernels"
)

func lossCases() []Case {
	var cases []Case
	for _, size := range [][2]int{{1, 1}, {3, 2}, {1, 3}, {7, 31}, {9, 33}, {33, 10}, {257, 100}, {31, 257}, {5, 1000}} {
		for _, smoothing := range []float32{0, 0.1} {
			for _, gradient := range []bool{false, true} {
				name := fmt.Sprintf("softmax_cross_entropy/rows=%d,classes=%d,smoothing=%g,gradient=%t", size[0], size[1], smoothing, gradient)
				cases = append(cases, Case{name, func(p *placer) gpu.Kernel {
					return softmaxCrossEntropy(p, size[0], size[1], smoothing, gradient)
				}})
			}
		}
	}
	for _, rows := range lengths {
		for _, classes := range []int{1, 2, 10, 100} {
			name := fmt.Sprintf("batch_metrics/rows=%d,classes=%d", rows, classes)
			cases = append(cases, Case{name, func(p *placer) gpu.Kernel { return batchMetrics(p, rows, classes) }})
		}
	}
	return cases
}

func softmaxCrossEntropy(p *placer, rows, classes int, smoothing float32, gradient bool) gpu.Kernel {
	logits := coarse(p.random, rows*classes) // with ties for the prediction
	labels, prediction := make([]int32, rows), make([]int32, rows)
	loss, dLogits := make([]number, rows), make([]number, rows*classes)
	offLabel := exactly(smoothing).over(exactly(float32(classes)))
	onLabel := exactly(1).minus(exactly(smoothing))
	for row := range rows {
		x := logits[row*classes:][:classes]
		if row%3 == 1 { // gaps of a hundred: exponentials that underflow
			for c := range x {
				x[c] *= 60
			}
		}
		labels[row] = p.random.Int32N(int32(classes))
		best := 0
		for c, v := range x {
			if v > x[best] {
				best = c
			}
		}
		prediction[row] = int32(best)
		shifted, exponentials := make([]number, classes), make([]number, classes)
		for c, v := range x {
			shifted[c] = exactly(v).minus(exactly(x[best]))
			exponentials[c] = shifted[c].exponential()
		}
		sum := total(exponentials)
		loss[row] = sum.logarithm().minus(onLabel.times(shifted[labels[row]])).minus(offLabel.times(total(shifted)))
		for c := range x {
			target := offLabel
			if c == int(labels[row]) {
				target = target.plus(onLabel)
			}
			dLogits[row*classes+c] = exponentials[c].over(sum).minus(target).over(exactly(float32(rows)))
		}
	}
	k := &kernels.SoftmaxCrossEntropy{
		Logits: input(p, "Logits", logits), Labels: input(p, "Labels", labels),
		RowLoss: output(p, "RowLoss", loss), Prediction: outputExact(p, "Prediction", prediction),
		Rows: int32(rows), Classes: int32(classes), Smoothing: smoothing,
	}
	if gradient {
		k.DLogits = output(p, "DLogits", dLogits)
	}
	return k
}

func batchMetrics(p *placer, rows, classes int) gpu.Kernel {
	const batch, batches = 2, 5
	rowLoss := uniform(p.random, rows, 0, 5)
	prediction, labels := make([]int32, rows), make([]int32, rows)
	confusion := make([]uint32, classes*classes)
	for i := range confusion {
		confusion[i] = p.random.Uint32N(1000)
	}
	correct := []uint32{7, 7, 7, 7, 7}
	wantConfusion, wantCorrect := append([]uint32(nil), confusion...), append([]uint32(nil), correct...)
	wantCorrect[batch] = 0
	sum := 0.0
	for row := range rows {
		prediction[row], labels[row] = p.random.Int32N(int32(classes)), p.random.Int32N(int32(classes))
		sum += float64(rowLoss[row])
		if prediction[row] == labels[row] {
			wantCorrect[batch]++
		}
		wantConfusion[int(labels[row])*classes+int(prediction[row])]++
	}
	loss, wantLoss := uniform(p.random, batches, 0, 1), []number{unchanged, unchanged, unchanged, unchanged, unchanged}
	wantLoss[batch] = double(sum/float64(rows), math.Abs(sum)/float64(rows))
	return &kernels.BatchMetrics{
		RowLoss: input(p, "RowLoss", rowLoss), Prediction: input(p, "Prediction", prediction), Labels: input(p, "Labels", labels),
		State: input(p, "State", []uint32{99, batch, 98, 0}), Loss: update(p, "Loss", loss, wantLoss),
		Correct: updateExact(p, "Correct", correct, wantCorrect), Confusion: updateExact(p, "Confusion", confusion, wantConfusion),
		Rows: int32(rows), Classes: int32(classes),
	}
}
