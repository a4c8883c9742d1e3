package layers_test

import (
	"fmt"
	"math"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/layers"
)

// mixed is a network with every kind of epilogue: normalized and not, pooled
// and not, with dropout and without.
func mixed() network {
	return network{
		name: "mixed", input: layers.Shape{Height: 5, Width: 7, Channels: 3}, batch: 6, smoothing: 0.1,
		chain: []layers.Layer{
			layers.Conv{Name: "conv1", Filters: 4, Kernel: 3},
			layers.Epilogue{Name: "norm1", BatchNorm: true, Slope: 0.01},
			layers.Conv{Name: "conv2", Filters: 5, Kernel: 3},
			layers.Epilogue{Name: "norm2", BatchNorm: true, Slope: 0.01, Pool: true, Dropout: 0.4},
			layers.Conv{Name: "conv3", Filters: 3, Kernel: 1},
			layers.Epilogue{Name: "bias3", Slope: 0.1, Pool: true},
			layers.Dense{Name: "dense1", Units: 9},
			layers.Epilogue{Name: "norm4", BatchNorm: true, Slope: 0.01, Dropout: 0.5},
			layers.Dense{Name: "out", Units: 4},
			layers.Epilogue{Name: "out", Slope: 1},
		},
	}
}

// Training moves the statistics as Keras does: .99 of the old and .01 of the
// batch's, whose variance is the unbiased one for pictures (the fused kernel)
// and the biased one behind a dense layer. (Measured with Keras 2.15 on the
// pilot's network.)
func TestMovingStatistics(t *testing.T) {
	networks := []network{mixed()}
	for _, rows := range []int{1, 2, 3} {
		// Few rows tell the two variances apart: rows/(rows-1) is 2 and 1.5.
		networks = append(networks, network{
			name: fmt.Sprintf("%d rows", rows), input: layers.Shape{Height: 1, Width: 1, Channels: 2}, batch: rows,
			chain: []layers.Layer{
				layers.Conv{Name: "conv1", Filters: 3, Kernel: 1},
				layers.Epilogue{Name: "norm1", BatchNorm: true, Slope: 1},
				layers.Dense{Name: "dense1", Units: 3},
				layers.Epilogue{Name: "norm2", BatchNorm: true, Slope: 1},
			},
		})
	}
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			tr, m, out := n.drawn(t, cpu.Options{Threads: 2})
			flat := map[string]bool{"norm4": true, "norm2": n.name != "mixed"}
			for range 2 {
				tr.run(tr.step)
				for name, batch := range out.Normalizations {
					correction := 1.0
					if rows := float64(batch.Rows); !flat[name] && rows > 1 {
						correction = rows / (rows - 1)
					}
					movingMean, movingVariance := m.Tensor(name+"/moving_mean").Value, m.Tensor(name+"/moving_variance").Value
					for c := range batch.Mean {
						movingMean[c] = 0.99*movingMean[c] + 0.01*batch.Mean[c]
						movingVariance[c] = 0.99*movingVariance[c] + 0.01*batch.Variance[c]*correction
					}
				}
			}
			for _, s := range tr.network.Statistics {
				// A hundredth of the batch's statistic with the chain's error, and
				// two roundings a step of a number below 2.
				want := m.Tensor(s.Name).Value
				compare(t, s.Name, download(tr, s.Value), want, n.tolerance()/100*max(1, largest(want))+8*unit)
			}
		})
	}
}

// Inference normalizes with the moving statistics, drops nothing, and changes
// neither statistics nor gradients.
func TestInference(t *testing.T) {
	eachLibrary(t, func(t *testing.T, library string) {
		for _, n := range append(grid(), mixed()) {
			t.Run(n.name, func(t *testing.T) {
				tr := newTrainer(t, cpu.Options{Threads: 2, Library: library}, n.input, n.chain, n.batch, n.smoothing)
				tr.run(tr.masks)
				m := tr.draw(1, n.chain, n.smoothing)
				tr.run(tr.step) // moves the statistics, leaves its own coefficients behind
				check(t, m.Load(tr.network))
				moving, gradients := download(tr, tr.network.Moving), download(tr, tr.network.Gradients)
				m.batch.Training = false
				want := m.forward()
				poison(tr, tr.batch.Logits)
				tr.run(tr.eval)

				size := max(1, largest(want.Logits))
				logits := download(tr, tr.batch.Logits)
				compare(t, "logits", logits, want.Logits, n.tolerance()*size)
				compare(t, "loss", []float32{float32(tr.loss())}, []float64{want.Loss}, n.tolerance()*size)
				equalBits(t, "moving statistics", download(tr, tr.network.Moving), moving)
				equalBits(t, "gradients", download(tr, tr.network.Gradients), gradients)
				for row, class := range download(tr, tr.batch.Prediction) {
					for c, v := range logits[row*tr.network.Classes:][:tr.network.Classes] {
						if best := logits[row*tr.network.Classes+int(class)]; v > best || v == best && c < int(class) {
							t.Errorf("row %d: class %d is predicted, class %d has the larger logit or comes first", row, class, c)
						}
					}
				}
			})
		}
	})
}

// A step's bits depend on neither the number of threads nor the steps before
// it, and a replay allocates nothing.
func TestStepRepeats(t *testing.T) {
	eachLibrary(t, func(t *testing.T, library string) {
		n := mixed()
		var gradients, logits, moving []float32
		for _, threads := range []int{1, 2, 3, 5} {
			tr, _, _ := n.drawn(t, cpu.Options{Threads: threads, Library: library})
			tr.run(tr.step)
			if gradients == nil {
				gradients, logits, moving = download(tr, tr.network.Gradients), download(tr, tr.batch.Logits), download(tr, tr.network.Moving)
			}
			what := fmt.Sprintf(" with %d threads", threads)
			equalBits(t, "gradients"+what, download(tr, tr.network.Gradients), gradients)
			equalBits(t, "logits"+what, download(tr, tr.batch.Logits), logits)
			equalBits(t, "moving statistics"+what, download(tr, tr.network.Moving), moving)
			tr.run(tr.step)
			equalBits(t, "second step's gradients"+what, download(tr, tr.network.Gradients), gradients)
			for name, p := range map[string]gpu.Program{"masks": tr.masks, "step": tr.step, "evaluation": tr.eval} {
				if allocations := testing.AllocsPerRun(10, func() { tr.run(p) }); allocations != 0 {
					t.Errorf("%g allocations a replay of the %s%s", allocations, name, what)
				}
			}
		}
	})
}

// Batches of two sizes share a network: the small one gives what it gives on a
// network of its own.
func TestBatchesShareParameters(t *testing.T) {
	n := mixed()
	full, _, _ := n.drawn(t, cpu.Options{Threads: 2})
	small := bindTrainer(t, full.network, 2, n.smoothing)
	alone := newTrainer(t, cpu.Options{Threads: 2}, n.input, n.chain, 2, n.smoothing)
	for _, tr := range []*trainer{small, alone} {
		tr.run(tr.masks)
		tr.draw(7, n.chain, n.smoothing)
	}
	full.run(full.step)
	small.draw(7, n.chain, n.smoothing) // the same statistics again
	small.run(small.step)
	alone.run(alone.step)
	equalBits(t, "gradients", download(small, small.network.Gradients), download(alone, alone.network.Gradients))
	equalBits(t, "logits", download(small, small.batch.Logits), download(alone, alone.batch.Logits))
	equalBits(t, "moving statistics", download(small, small.network.Moving), download(alone, alone.network.Moving))
}

// The gaps that align the tensors stay zero: an optimizer or a norm may run
// over the whole buffer.
func TestGapsStayZero(t *testing.T) {
	n := mixed()
	tr, _, _ := n.drawn(t, cpu.Options{Threads: 2})
	tr.run(tr.step)
	inTensor := make([]bool, tr.network.Values.Len())
	for _, p := range tr.network.Parameters {
		for i := range p.Elements() {
			if inTensor[p.Offset+i] {
				t.Fatalf("%s overlaps another tensor", p.Name)
			}
			inTensor[p.Offset+i] = true
		}
	}
	values, gradients := download(tr, tr.network.Values), download(tr, tr.network.Gradients)
	gaps := 0
	for i, in := range inTensor {
		if in {
			continue
		}
		gaps++
		if values[i] != 0 || gradients[i] != 0 {
			t.Errorf("element %d of a gap: value %v, gradient %v, want 0", i, values[i], gradients[i])
		}
	}
	if gaps == 0 {
		t.Error("the network has no gaps: choose tensors that do not fill 16 elements")
	}
}

// What is not finite is not lost on the way: a NaN in one picture shows in the
// loss of its row, a NaN in a weight in every row's.
func TestNaNReachesTheLoss(t *testing.T) {
	nan := float32(math.NaN())
	eachLibrary(t, func(t *testing.T, library string) {
		for _, n := range append(grid(), mixed()) {
			t.Run(n.name, func(t *testing.T) {
				tr, _, _ := n.drawn(t, cpu.Options{Threads: 2, Library: library})
				x := download(tr, tr.batch.X)
				// Every element of the last picture, so that no dropout mask and
				// no lost pooling window hides it.
				for i := range n.input.Elements() {
					x[len(x)-1-i] = nan
				}
				upload(tr, tr.batch.X, x)
				for name, p := range map[string]gpu.Program{"step": tr.step, "evaluation": tr.eval} {
					tr.run(p)
					if loss := download(tr, tr.batch.RowLoss)[n.batch-1]; !math.IsNaN(float64(loss)) {
						t.Errorf("%s: the loss of a picture of NaN is %v", name, loss)
					}
				}
			})
		}
	})
}

// Ops carry the part of the step that they belong to.
func TestLabels(t *testing.T) {
	n := mixed()
	tr := newTrainer(t, cpu.Options{}, n.input, n.chain, n.batch, n.smoothing)
	var labels []string
	for _, p := range []gpu.Program{tr.masks, tr.step} {
		for _, op := range p.Ops() {
			if len(labels) == 0 || labels[len(labels)-1] != op.Label {
				labels = append(labels, op.Label)
			}
		}
	}
	want := []string{
		"dropout",
		"forward/conv1", "forward/norm1", "forward/conv2", "forward/norm2", "forward/conv3", "forward/bias3",
		"forward/dense1", "forward/norm4", "forward/out",
		"loss",
		"backward/out", "backward/norm4", "backward/dense1", "backward/bias3", "backward/conv3", "backward/norm2",
		"backward/conv2", "backward/norm1", "backward/conv1",
	}
	if fmt.Sprint(labels) != fmt.Sprint(want) {
		t.Errorf("labels %v, want %v", labels, want)
	}
	for _, name := range []string{"conv1", "conv2", "conv3", "dense1", "out"} {
		for _, d := range []gpu.Direction{gpu.Forward, gpu.BackwardData, gpu.BackwardFilter} {
			if tr.batch.Algorithms()[name+" "+d.String()] == "" {
				t.Errorf("no algorithm for %s %v", name, d)
			}
		}
	}
}
