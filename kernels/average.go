package kernels

import "diaghess/gpu"

// What an evaluation of other weights than those in training needs: the average of the weights
// over the steps, statistics of batch normalization for it, and a way to put all of that in the
// place of what training uses, and back.

// WeightAverage updates the exponential moving average of the weights after a step, without a
// bias towards its initial values, as in Kingma and Ba 2015, section 3:
//
//	Average += (W - Average) Shares[State.step]
//
// The share of step t, from 1, is (1 - decay) / (1 - decay^t). It makes the average that of the
// weights after steps 1 to t with weights in proportion to decay^(t-i).
type WeightAverage struct {
	Average  gpu.Slice[float32] // [Elements], updated
	W        gpu.Slice[float32] // [Elements]
	Shares   gpu.Slice[float32] // [steps]
	State    gpu.Slice[uint32]  // [StateWords]
	Elements int32
}

func (k *WeightAverage) Entry() string  { return "weight_average" }
func (k *WeightAverage) Grid() gpu.Grid { return elementGrid(int(k.Elements)) }
func (k *WeightAverage) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 12 * int64(k.Elements), Flops: 3 * int64(k.Elements)}
}

// Host averages the elements of blocks lo to hi-1.
func (k *WeightAverage) Host(lo, hi int) {
	first, last := span(lo, hi, elementsPerBlock, int(k.Elements))
	share := k.Shares.Host()[k.State.Host()[StateStep]]
	average, w := k.Average.Host()[first:last], k.W.Host()[first:last]
	for i, a := range average {
		average[i] = a + float32((w[i]-a)*share)
	}
}

// Copy copies a vector:
//
//	To[i] = From[i]
type Copy struct {
	To       gpu.Slice[float32] // [Elements], written
	From     gpu.Slice[float32] // [Elements]
	Elements int32
}

func (k *Copy) Entry() string  { return "copy_elements" }
func (k *Copy) Grid() gpu.Grid { return elementGrid(int(k.Elements)) }
func (k *Copy) Cost() gpu.Cost { return gpu.Cost{Bytes: 8 * int64(k.Elements)} }

// Host copies the elements of blocks lo to hi-1.
func (k *Copy) Host(lo, hi int) {
	first, last := span(lo, hi, elementsPerBlock, int(k.Elements))
	copy(k.To.Host()[first:last], k.From.Host()[first:last])
}

// StatisticsMerge merges the mean and the biased variance of a batch of Samples samples into
// those of the batches before it in a pass. The first batch needs zeros there. Chan, Golub and
// LeVeque 1979, formula 2.1, for shares instead of sums:
//
//	share     = Samples / (State.sample + Samples)
//	d         = BatchMean - Mean
//	Mean     += d share
//	Variance += (BatchVariance - Variance) share + d^2 share (1 - share)
type StatisticsMerge struct {
	BatchMean     gpu.Slice[float32] // [Channels]
	BatchVariance gpu.Slice[float32] // [Channels]
	Mean          gpu.Slice[float32] // [Channels], updated
	Variance      gpu.Slice[float32] // [Channels], updated
	State         gpu.Slice[uint32]  // [StateWords]
	Samples       uint32
	Channels      int32
}

func (k *StatisticsMerge) Entry() string  { return "statistics_merge" }
func (k *StatisticsMerge) Grid() gpu.Grid { return elementGrid(int(k.Channels)) }
func (k *StatisticsMerge) Cost() gpu.Cost {
	return gpu.Cost{Bytes: 24 * int64(k.Channels), Flops: 8 * int64(k.Channels)}
}

// Host merges the channels of blocks lo to hi-1.
func (k *StatisticsMerge) Host(lo, hi int) {
	first, last := span(lo, hi, elementsPerBlock, int(k.Channels))
	share := float32(k.Samples) / float32(k.State.Host()[StateSample]+k.Samples)
	between := float32(share * (1 - share))
	batchMean, batchVariance := k.BatchMean.Host()[first:last], k.BatchVariance.Host()[first:last]
	mean, variance := k.Mean.Host()[first:last], k.Variance.Host()[first:last]
	for c, m := range mean {
		d := batchMean[c] - m
		v := variance[c] + float32((batchVariance[c]-variance[c])*share)
		mean[c] = m + float32(d*share)
		variance[c] = v + float32(float32(d*d)*between)
	}
}
