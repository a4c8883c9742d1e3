package layers_test

import (
	"bytes"
	"math"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/kernels"
	"diaghess/layers"
)

// dropoutNetwork has three layers of dropout, two of them at the same rate, of
// sizes that are no multiples of 4, 16 or a block.
func dropoutNetwork() network {
	return network{
		name: "dropout", input: layers.Shape{Height: 9, Width: 7, Channels: 1}, batch: 33,
		chain: []layers.Layer{
			layers.Conv{Name: "conv1", Filters: 5, Kernel: 3},
			layers.Epilogue{Name: "norm1", BatchNorm: true, Slope: 0.01, Dropout: 0.4},
			layers.Dense{Name: "dense1", Units: 301},
			layers.Epilogue{Name: "norm2", BatchNorm: true, Slope: 0.01, Dropout: 0.5},
			layers.Dense{Name: "dense2", Units: 301},
			layers.Epilogue{Name: "norm3", BatchNorm: true, Slope: 0.01, Dropout: 0.5},
			layers.Dense{Name: "out", Units: 3},
		},
	}
}

var dropoutRates = []float32{0.4, 0.5, 0.5}

// masksAt returns the masks of each layer at a step, for batches of a size.
func masksAt(t *testing.T, n network, seed uint64, step uint32, size int) [][]uint8 {
	t.Helper()
	tr := newTrainer(t, cpu.Options{Threads: 3}, n.input, n.chain, size, 0)
	upload(tr, tr.state, []uint32{step, 99, 77, 0}) // batch and sample do not matter
	tr.run(tr.compile(func(r *gpu.Recorder) { tr.batch.DrawMasks(r, seed, tr.state) }))
	return tr.cutMasks(n.chain)
}

// A mask is the documented function of (seed, layer, step, index), whatever the
// size of the batch.
func TestDropoutMaskIsAFunctionOfItsPlace(t *testing.T) {
	n := dropoutNetwork()
	for _, at := range []struct {
		seed uint64
		step uint32
		size int
	}{{0, 0, 33}, {1<<40 + 3, 0, 33}, {0, 5, 33}, {0, 5, 2}} {
		for i, mask := range masksAt(t, n, at.seed, at.step, at.size) {
			stream := kernels.RandomStream([]string{"dropout/1", "dropout/2", "dropout/3"}[i])
			for j, got := range mask {
				want := uint8(0)
				if kernels.Uniform(kernels.Random(at.seed, stream, at.step, uint64(j/4))[j%4]) >= dropoutRates[i] {
					want = 1
				}
				if got != want {
					t.Fatalf("%+v, layer %d, element %d: %d, want %d", at, i+1, j, got, want)
				}
			}
		}
	}
}

// Masks keep the share that they should, and masks of different layers, steps
// and seeds are independent: four standard errors of a binomial share.
func TestDropoutMaskShares(t *testing.T) {
	n := dropoutNetwork()
	share := func(what string, count, total int, p float64) {
		t.Helper()
		got, standardError := float64(count)/float64(total), math.Sqrt(p*(1-p)/float64(total))
		if math.Abs(got-p) > 4*standardError {
			t.Errorf("%s: share %.4f of %d, want %.4f +- %.4f", what, got, total, p, standardError)
		}
	}
	differing := func(a, b []uint8) int {
		count := 0
		for i := range a {
			if a[i] != b[i] {
				count++
			}
		}
		return count
	}
	first := masksAt(t, n, 1, 0, n.batch)
	otherStep, otherSeed := masksAt(t, n, 1, 1, n.batch), masksAt(t, n, 2, 0, n.batch)
	for i, mask := range first {
		p := 1 - float64(dropoutRates[i])
		share("kept", bytes.Count(mask, []byte{1}), len(mask), p)
		share("differing between steps", differing(mask, otherStep[i]), len(mask), 2*p*(1-p))
		share("differing between seeds", differing(mask, otherSeed[i]), len(mask), 2*p*(1-p))
	}
	share("differing between layers", differing(first[1], first[2]), len(first[1]), 0.5)
	// Neighbours, and the same element of neighbouring rows, of one mask.
	share("differing from the next", differing(first[1][1:], first[1]), len(first[1])-1, 0.5)
	share("differing from the next row's", differing(first[1][301:], first[1]), len(first[1])-301, 0.5)
}

// A step counted by Advance draws other masks, and a network without dropout
// draws none.
func TestDropoutFollowsTheStep(t *testing.T) {
	n := dropoutNetwork()
	tr := newTrainer(t, cpu.Options{}, n.input, n.chain, n.batch, 0)
	program := tr.compile(func(r *gpu.Recorder) {
		tr.batch.DrawMasks(r, 1, tr.state)
		r.Record(&kernels.Advance{State: tr.state, Rows: uint32(n.batch)})
	})
	for step := range uint32(3) {
		tr.run(program)
		for i, want := range masksAt(t, n, 1, step, n.batch) {
			if got := tr.cutMasks(n.chain)[i]; !bytes.Equal(got, want) {
				t.Errorf("step %d, layer %d: not the mask of that step", step, i+1)
			}
		}
	}
	if state := download(tr, tr.state); state[kernels.StateStep] != 3 || state[kernels.StateBatch] != 3 || state[kernels.StateSample] != 99 {
		t.Errorf("state %v after 3 steps of 33 rows", state)
	}
	plain := newTrainer(t, cpu.Options{}, n.input, []layers.Layer{layers.Dense{Name: "out", Units: 2}}, 3, 0)
	if ops := plain.masks.Ops(); len(ops) != 0 {
		t.Errorf("a network without dropout records %d ops for its masks", len(ops))
	}
}
