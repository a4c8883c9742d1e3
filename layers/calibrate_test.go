package layers_test

import (
	"slices"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/kernels"
	"diaghess/layers/exact"
)

// A calibration over batches of 6 and 4 samples leaves the mean and the biased variance of each
// normalization's inputs in all 10, where each batch was normalized by itself: from the float64
// twin of each batch, merged as sums of squares are. The first normalization's inputs depend on
// no other, so theirs are also those of one batch of 10.
func TestCalibrate(t *testing.T) {
	n := mixed()
	tr, m, _ := n.drawn(t, cpu.Options{Threads: 2})
	second := bindTrainer(t, tr.network, 4, 0)
	x := download(tr, tr.batch.X)
	x = append(x, x[5:5+second.batch.X.Len()]...) // other pictures: shifted by five values
	upload(tr, second.batch.X, x[tr.batch.X.Len():])
	forward := func(lo, hi int) map[string]exact.BatchStatistics {
		b := exact.Batch{X: exact.Widen(x[lo*len(x)/10 : hi*len(x)/10]), Labels: make([]int32, hi-lo), Training: true}
		return m.Forward(b).Normalizations
	}
	first, rest, whole := forward(0, 6), forward(6, 10), forward(0, 10)

	upload(tr, second.batch.Labels, make([]int32, 4))
	parameters := download(tr, tr.network.Values)
	for range 2 { // the second time from what the first left behind, but for zeros in Moving
		upload(tr, tr.network.Moving, make([]float32, tr.network.Moving.Len()))
		upload(tr, tr.state, make([]uint32, kernels.StateWords))
		for _, part := range []*trainer{tr, second} {
			part.run(part.compile(func(r *gpu.Recorder) {
				part.batch.Calibrate(r, tr.state)
				r.Record(&kernels.Advance{State: tr.state, Rows: uint32(part.batch.Size)})
			}))
		}
		for i := 0; i < len(tr.network.Statistics); i += 2 {
			mean, variance := tr.network.Statistics[i], tr.network.Statistics[i+1]
			name := mean.Name[:len(mean.Name)-len("/moving_mean")]
			a, b := first[name], rest[name]
			wantMean, wantVariance := slices.Clone(a.Mean), slices.Clone(a.Variance)
			for c := range wantMean {
				d := b.Mean[c] - a.Mean[c]
				wantMean[c] = 0.6*a.Mean[c] + 0.4*b.Mean[c]
				wantVariance[c] = 0.6*a.Variance[c] + 0.4*b.Variance[c] + 0.24*d*d
			}
			if name == "norm1" {
				wantMean, wantVariance = whole[name].Mean, whole[name].Variance
			}
			compare(t, mean.Name, download(tr, mean.Value), wantMean, n.tolerance()*max(1, largest(wantMean)))
			compare(t, variance.Name, download(tr, variance.Value), wantVariance, n.tolerance()*max(1, largest(wantVariance)))
		}
	}
	equalBits(t, "parameters", download(tr, tr.network.Values), parameters)
}
