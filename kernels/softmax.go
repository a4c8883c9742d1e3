package kernels

import (
	"math"
	"slices"

	"diaghess/gpu"
)

// SoftmaxCrossEntropy computes the loss of each row from the logits (no clipping of
// probabilities, as in Keras's fused form), and its gradient. With p the
// softmax and t the target, 1 - Smoothing on the label plus Smoothing/Classes
// everywhere,
//
//	RowLoss    = log sum exp(Logits) - sum t Logits
//	DLogits    = (p - t) / Rows
//	Prediction = the first class with the largest logit
type SoftmaxCrossEntropy struct {
	Logits     gpu.Slice[float32] // [Rows, Classes]
	Labels     gpu.Slice[int32]   // [Rows]
	DLogits    gpu.Slice[float32] // [Rows, Classes], written unless null
	RowLoss    gpu.Slice[float32] // [Rows], written
	Prediction gpu.Slice[int32]   // [Rows], written
	Rows       int32
	Classes    int32
	Smoothing  float32
}

func (k *SoftmaxCrossEntropy) Entry() string { return "softmax_cross_entropy" }
func (k *SoftmaxCrossEntropy) Grid() gpu.Grid {
	return gpu.Grid{Blocks: blocksOf(int(k.Rows), rowsPerSoftmaxBlock), Threads: threads}
}
func (k *SoftmaxCrossEntropy) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 4*int64(k.Logits.Len()+k.DLogits.Len()) + 12*int64(k.Rows), Flops: 8 * int64(k.Logits.Len())}
}

// Host does the rows of blocks lo to hi-1.
func (k *SoftmaxCrossEntropy) Host(lo, hi int) {
	logits, labels, dLogits := k.Logits.Host(), k.Labels.Host(), k.DLogits.Host()
	rowLoss, prediction := k.RowLoss.Host(), k.Prediction.Host()
	classes := int(k.Classes)
	background := k.Smoothing / float32(k.Classes)
	first, last := span(lo, hi, rowsPerSoftmaxBlock, int(k.Rows))
	for row := first; row < last; row++ {
		x := logits[row*classes:][:classes]
		label := int(labels[row])
		best := 0
		for c, v := range x {
			if v > x[best] {
				best = c
			}
		}
		// sum is of exp(x - max), which d keeps, and offTarget of the background's x - max.
		var d []float32
		if dLogits != nil {
			d = dLogits[row*classes:][:classes]
		}
		var sum, offTarget float32
		for c, v := range x {
			e := exp(v - x[best])
			sum += e
			offTarget += v - x[best]
			if d != nil {
				d[c] = e
			}
		}
		rowLoss[row] = logarithm(sum) - float32((1-k.Smoothing)*(x[label]-x[best])) - float32(background*offTarget)
		prediction[row] = int32(best)
		for c, e := range d {
			target := background
			if c == label {
				target += 1 - k.Smoothing
			}
			d[c] = (e/sum - target) / float32(k.Rows)
		}
	}
}

// softmaxOf returns the largest of a row of logits and the sum of the exponentials
// of what is left of each without it.
func softmaxOf(x []float32) (largest, sum float32) {
	largest = slices.Max(x)
	for _, v := range x {
		sum += exp(v - largest)
	}
	return largest, sum
}

func exp(v float32) float32       { return float32(math.Exp(float64(v))) }
func logarithm(v float32) float32 { return float32(math.Log(float64(v))) }

// BatchMetrics is the last stage of the loss. It writes the batch's mean loss and the
// number of correct predictions at index State.batch, and adds the batch to the confusion
// matrix.
type BatchMetrics struct {
	RowLoss    gpu.Slice[float32] // [Rows]
	Prediction gpu.Slice[int32]   // [Rows]
	Labels     gpu.Slice[int32]   // [Rows]
	State      gpu.Slice[uint32]  // [StateWords]
	Loss       gpu.Slice[float32] // [batches of a pass], one written
	Correct    gpu.Slice[uint32]  // [batches of a pass], one written
	Confusion  gpu.Slice[uint32]  // [Classes, Classes], += 1 at (label, prediction)
	Rows       int32
	Classes    int32
}

func (k *BatchMetrics) Entry() string  { return "batch_metrics" }
func (k *BatchMetrics) Grid() gpu.Grid { return gpu.Grid{Blocks: 1, Threads: threads} }
func (k *BatchMetrics) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 20 * int64(k.Rows), Flops: int64(k.Rows)}
}

// Host does the whole batch.
func (k *BatchMetrics) Host(lo, hi int) {
	rowLoss, prediction, labels := k.RowLoss.Host(), k.Prediction.Host(), k.Labels.Host()
	confusion := k.Confusion.Host()
	batch := k.State.Host()[StateBatch]
	var loss float64
	var correct uint32
	for row, v := range rowLoss[:k.Rows] {
		loss += float64(v)
		if prediction[row] == labels[row] {
			correct++
		}
		confusion[labels[row]*k.Classes+prediction[row]]++
	}
	k.Loss.Host()[batch] = float32(loss / float64(k.Rows))
	k.Correct.Host()[batch] = correct
}
