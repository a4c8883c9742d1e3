package kernels

import "diaghess/gpu"

// SampleLabels samples the label of each row from the softmax of its logits. The label is
// the first class for which the sum of the exponentials up to it exceeds a random part u
// of the whole sum:
//
//	sum of exp(Logits - largest) up to Labels > u (sum over all)
//	u = Uniform(Random(Seed, Stream, State.step, Draw 2^32 + row / 4)[row % 4])
type SampleLabels struct {
	Logits  gpu.Slice[float32] // [Rows, Classes]
	Labels  gpu.Slice[int32]   // [Rows], written
	State   gpu.Slice[uint32]  // [StateWords]
	Seed    uint64
	Stream  uint32
	Draw    uint32 // number of the sample at a step
	Rows    int32
	Classes int32
}

func (k *SampleLabels) Entry() string { return "sample_labels" }
func (k *SampleLabels) Grid() gpu.Grid {
	return gpu.Grid{Blocks: blocksOf(int(k.Rows), rowsPerSoftmaxBlock), Threads: threads}
}
func (k *SampleLabels) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 4 * int64(k.Logits.Len()+int(k.Rows)), Flops: 4 * int64(k.Logits.Len())}
}

// Host samples the labels of the rows of blocks lo to hi-1.
func (k *SampleLabels) Host(lo, hi int) {
	logits, labels, step := k.Logits.Host(), k.Labels.Host(), k.State.Host()[StateStep]
	classes := int(k.Classes)
	first, last := span(lo, hi, rowsPerSoftmaxBlock, int(k.Rows))
	for row := first; row < last; row++ {
		x := logits[row*classes:][:classes]
		largest, sum := softmaxOf(x)
		part := Uniform(Random(k.Seed, k.Stream, step, uint64(k.Draw)<<32|uint64(row/4))[row%4]) * sum
		var upTo float32
		labels[row] = int32(classes - 1)
		for c, v := range x {
			if upTo += exp(v - largest); upTo > part {
				labels[row] = int32(c)
				break
			}
		}
	}
}
