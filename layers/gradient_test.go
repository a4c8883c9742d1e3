package layers_test

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"diaghess/gpu/cpu"
	"diaghess/layers"
	"diaghess/layers/exact"
)

// network is a chain of layers with its input and batch.
type network struct {
	name      string
	input     layers.Shape
	batch     int
	chain     []layers.Layer
	smoothing float32
}

// grid is every combination of an epilogue's options in a network of two
// convolutions and two dense layers. The odd extents 5x3 pool to 3x2 and 2x1.
func grid() []network {
	var all []network
	for _, norm := range []bool{false, true} {
		for _, slope := range []float32{1, 0.01, 0} {
			for _, pool := range []bool{false, true} {
				for _, rate := range []float32{0, 0.4} {
					for _, smoothing := range []float32{0, 0.1} {
						all = append(all, network{
							name:  fmt.Sprintf("batchnorm=%t,slope=%g,pool=%t,dropout=%g,smoothing=%g", norm, slope, pool, rate, smoothing),
							input: layers.Shape{Height: 5, Width: 3, Channels: 3}, batch: 5, smoothing: smoothing,
							chain: []layers.Layer{
								layers.Conv{Name: "conv1", Filters: 4, Kernel: 3},
								layers.Epilogue{Name: "norm1", BatchNorm: norm, Slope: slope, Pool: pool},
								layers.Conv{Name: "conv2", Filters: 3, Kernel: 3},
								layers.Epilogue{Name: "norm2", BatchNorm: norm, Slope: slope, Pool: pool, Dropout: rate},
								layers.Dense{Name: "dense1", Units: 6},
								layers.Epilogue{Name: "norm3", BatchNorm: norm, Slope: slope, Dropout: rate},
								layers.Dense{Name: "out", Units: 3},
								layers.Epilogue{Name: "out", Slope: 1},
							},
						})
					}
				}
			}
		}
	}
	return all
}

// chainOf is a model's chain for 3 classes.
func chainOf(spec string) []layers.Layer {
	chain, err := layers.Model(spec, 3)
	if err != nil {
		panic(err)
	}
	return chain
}

// corners are chains and shapes at the edge of what a network may be.
func corners() []network {
	conv := func(i, filters, kernel int) layers.Layer {
		return layers.Conv{Name: fmt.Sprintf("conv%d", i), Filters: filters, Kernel: kernel}
	}
	dense := func(i, units int) layers.Layer { return layers.Dense{Name: fmt.Sprintf("dense%d", i), Units: units} }
	norm := func(i int, e layers.Epilogue) layers.Layer {
		e.Name, e.BatchNorm, e.Slope = fmt.Sprintf("norm%d", i), true, 0.01
		return e
	}
	bias := func(i int, pool bool) layers.Layer {
		return layers.Epilogue{Name: fmt.Sprintf("bias%d", i), Slope: 1, Pool: pool}
	}
	relu := func(i int) layers.Layer { return layers.ReLU{Name: fmt.Sprintf("relu%d", i)} }
	picture := func(height, width, channels int) layers.Shape {
		return layers.Shape{Height: height, Width: width, Channels: channels}
	}
	pooled := layers.Epilogue{Pool: true, Dropout: 0.25}
	return []network{
		{name: "a dense layer alone", input: picture(2, 3, 2), batch: 4, chain: []layers.Layer{dense(1, 3)}},
		{name: "flat input", input: layers.Shape{Height: 1, Width: 1, Channels: 7, Flat: true}, batch: 3,
			chain: []layers.Layer{dense(1, 5), norm(1, layers.Epilogue{}), dense(2, 3)}},
		{name: "linear layers in a row", input: picture(3, 2, 2), batch: 3,
			chain: []layers.Layer{conv(1, 3, 3), conv(2, 2, 1), dense(1, 4), dense(2, 3)}},
		{name: "logits behind normalization, LeakyReLU and dropout", input: picture(1, 1, 5), batch: 9,
			chain: []layers.Layer{dense(1, 4), norm(1, layers.Epilogue{Dropout: 0.3})}},
		{name: "epilogue first", input: picture(3, 5, 2), batch: 4,
			chain: []layers.Layer{norm(1, layers.Epilogue{}), conv(1, 3, 3), norm(2, layers.Epilogue{}), dense(1, 3)}},
		{name: "epilogue first, the largest tensor the input", input: picture(5, 5, 4), batch: 3,
			chain: []layers.Layer{norm(1, pooled), conv(1, 2, 3), norm(2, layers.Epilogue{}), dense(1, 3)}},
		{name: "epilogues in a row", input: picture(3, 3, 2), batch: 4,
			chain: []layers.Layer{conv(1, 4, 3), norm(1, pooled), norm(2, layers.Epilogue{Dropout: 0.5}), dense(1, 3)}},
		{name: "extents 1x1", input: picture(1, 1, 3), batch: 7,
			chain: []layers.Layer{conv(1, 4, 3), norm(1, pooled), conv(2, 3, 1), norm(2, layers.Epilogue{}), dense(1, 3)}},
		{name: "extents 1x2", input: picture(1, 2, 3), batch: 7,
			chain: []layers.Layer{conv(1, 4, 3), norm(1, pooled), dense(1, 3)}},
		{name: "extents 6x10, batch 2", input: picture(6, 10, 1), batch: 2,
			chain: []layers.Layer{conv(1, 2, 3), norm(1, pooled), conv(2, 3, 3), norm(2, pooled), conv(3, 3, 3), norm(3, pooled), dense(1, 3)}},
		{name: "a batch of one", input: picture(5, 3, 3), batch: 1,
			chain: []layers.Layer{conv(1, 4, 3), norm(1, pooled), dense(1, 3)}},
		{name: "filter of 5x5, 17 channels", input: picture(5, 5, 1), batch: 2,
			chain: []layers.Layer{conv(1, 17, 5), norm(1, pooled), dense(1, 3)}},
		{name: "a batch of 17 with 11 classes", input: picture(2, 2, 3), batch: 17, smoothing: 0.1,
			chain: []layers.Layer{conv(1, 5, 1), norm(1, layers.Epilogue{}), dense(1, 11)}},
		{name: "ReLU first, between layers and last", input: picture(5, 3, 3), batch: 5, smoothing: 0.1,
			chain: []layers.Layer{
				relu(1), conv(1, 4, 3), relu(2), norm(1, layers.Epilogue{}), relu(3), conv(2, 3, 3), bias(2, true), relu(4),
				dense(1, 6), bias(3, false), relu(5), dense(2, 4), bias(4, false), relu(6)}},
		{name: "ReLU of many rows and channels", input: picture(3, 4, 1), batch: 33,
			chain: []layers.Layer{conv(1, 33, 1), relu(1), dense(1, 3)}},
		{name: "normalization behind the activation", input: picture(3, 3, 2), batch: 7, smoothing: 0.1, chain: chainOf("mlp:layers=2,width=5,dropout=0.3,bn=after")},
		{name: "normalization before the activation", input: picture(3, 3, 2), batch: 7, chain: chainOf("mlp:layers=2,width=5,bn=before,slope=0.2")},
		{name: "convolutions with normalization behind the activation", input: picture(3, 5, 2), batch: 11, chain: chainOf("smallcnn:filters=3,dense=5,bn=after")},
		{name: "the pilot's first network", input: picture(3, 5, 2), batch: 4, chain: chainOf("julycnn:filters=3,dense=5")},
		{name: "reductions of two chunks", input: picture(31, 33, 1), batch: 2,
			chain: []layers.Layer{
				conv(1, 5, 1), layers.Epilogue{Name: "norm1", BatchNorm: true, Slope: 1},
				conv(2, 5, 1), layers.Epilogue{Name: "norm2", Slope: 1, Dropout: 0.5}, dense(1, 2)}},
	}
}

// The parameters' step of the central differences. Their error is step^2/6 times
// the third derivative of the loss plus the rounding of two losses of about 1
// over the step, some 30 units of 2^-53: 1.5e-13 for each unit of the derivative,
// which normalizing a batch of three makes some thousands, and 3e-9.
const step = 1.0 / (1 << 20)

// differenceError bounds that error.
const differenceError = 1e-8

// marginNeeded keeps float32 and float64 on the same side of every kink: the
// inputs of a LeakyReLU are of the order of 1 and within some hundred units
// 2^-24 of their exact values.
const marginNeeded = 1e-5

// tolerance is the relative error of a chain's results in float32. A stage adds
// at most as many units as its longest sum has terms, to values of the largest's
// size; forward and backward pass each stage once.
func (n network) tolerance() float64 {
	longest := 0
	shape := n.input
	for _, l := range n.chain {
		switch l := l.(type) {
		case layers.Conv:
			longest = max(longest, l.Kernel*l.Kernel*shape.Channels, n.batch*shape.Height*shape.Width)
			shape.Channels = l.Filters
		case layers.Dense:
			longest = max(longest, shape.Elements(), n.batch)
			shape = layers.Shape{Height: 1, Width: 1, Channels: l.Units}
		case layers.Epilogue:
			longest = max(longest, n.batch*shape.Height*shape.Width)
			if l.Pool {
				shape.Height, shape.Width = (shape.Height+1)/2, (shape.Width+1)/2
			}
		}
	}
	return 2 * float64(len(n.chain)*longest) * unit
}

// drawn returns a trainer and a reference with the same random contents, from
// the first seed whose kinks are far enough away.
func (n network) drawn(t testing.TB, o cpu.Options) (*trainer, *reference, *exact.Pass) {
	t.Helper()
	tr := newTrainer(t, o, n.input, n.chain, n.batch, n.smoothing)
	m, p := n.fill(t, tr)
	return tr, m, p
}

// fill draws the contents of a trainer of the network.
func (n network) fill(t testing.TB, tr *trainer) (*reference, *exact.Pass) {
	t.Helper()
	tr.run(tr.masks)
	for seed := uint64(1); seed < 100; seed++ {
		m := tr.draw(seed, n.chain, n.smoothing)
		if p := m.forward(); p.Margin > marginNeeded {
			t.Logf("inputs of seed %d", seed)
			return m, p
		}
	}
	t.Fatal("no seed below 100 keeps all kinks away")
	return nil, nil
}

// The recorded loss and gradient are those of the float64 twin, and the twin's
// gradient is its loss's central difference, unless a kink lies within the step.
func TestGradients(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	for _, n := range append(grid(), corners()...) {
		t.Run(n.name, func(t *testing.T) {
			_, m, base := n.drawn(t, cpu.Options{})
			gradient := base.Gradient()
			m.compareDifferences(t, base, gradient)
			eachLibrary(t, func(t *testing.T, library string) {
				tr, _, _ := n.drawn(t, cpu.Options{Threads: 2, Library: library})
				n.compareGradients(t, tr, m, base, gradient)
			})
		})
	}
}

// sampled is how many elements of a tensor are differentiated at most: the
// first, then evenly spaced.
const sampled = 500

// compareDifferences holds the twin's gradient against central differences of
// its loss, but for the elements that have a kink within the step.
func (m *reference) compareDifferences(t *testing.T, base *exact.Pass, gradient []float64) {
	t.Helper()
	kinks, coordinates := 0, 0
	for _, p := range m.Parameters {
		for i := 0; i < len(p.Value); i += (len(p.Value) + sampled - 1) / sampled {
			v := p.Value[i]
			p.Value[i] = v + step
			above := m.forward()
			p.Value[i] = v - step
			below := m.forward()
			p.Value[i] = v
			coordinates++
			if !bytes.Equal(above.Decisions, base.Decisions) || !bytes.Equal(below.Decisions, base.Decisions) {
				kinks++
				continue
			}
			want := (above.Loss - below.Loss) / (2 * step)
			if got := p.Of(gradient)[i]; !(math.Abs(got-want) <= differenceError) {
				t.Errorf("gradient of %s in float64: element %d is %.12g, by differences %.12g", p.Name, i, got, want)
			}
		}
	}
	// A kink is crossed where an input of a LeakyReLU, of density 0.4 near 0, is
	// within the step times its derivative, of the order of 1: some 1e-6 for
	// each, 1e-3 for a network's thousand.
	if float64(kinks) > 0.01*float64(coordinates) {
		t.Errorf("%d of %d coordinates have a kink within the step", kinks, coordinates)
	}
}

func (n network) compareGradients(t *testing.T, tr *trainer, m *reference, base *exact.Pass, gradient []float64) {
	t.Helper()
	poison(tr, tr.network.Gradients)
	poison(tr, tr.batch.Logits)
	tr.run(tr.step)
	size := max(1, largest(base.Logits))
	compare(t, "logits", download(tr, tr.batch.Logits), base.Logits, n.tolerance()*size)
	compare(t, "loss", []float32{float32(tr.loss())}, []float64{base.Loss}, n.tolerance()*size)

	for i, p := range tr.network.Parameters {
		want := m.Parameters[i].Of(gradient)
		// A gradient that cancels, like that of a shift which a normalization
		// behind it takes out, keeps the rounding of its terms: they are of
		// the size of other gradients.
		size := max(largest(want), largest(gradient)/16)
		compare(t, "gradient of "+p.Name, download(tr, p.Gradient), want, n.tolerance()*size)
	}
}
