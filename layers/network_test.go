package layers_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"diaghess/gpu/cpu"
	"diaghess/layers"
	"diaghess/layers/exact"
)

var cifar = layers.Shape{Height: 32, Width: 32, Channels: 3}

func newNetwork(t testing.TB, input layers.Shape, chain []layers.Layer, seed uint64) *layers.Network {
	t.Helper()
	n, err := layers.New(openStream(t, cpu.Options{}), input, chain, seed)
	check(t, err)
	return n
}

// The tensors of the pilot's network as its Keras model lists them: 1,605,354
// trainable parameters for 10 classes, 1,651,524 for 100, and 2,944 moving
// statistics.
func TestPilotCNNParameters(t *testing.T) {
	want := []string{
		"conv1/kernel [3 3 3 32]", "bn1/gamma [32]", "bn1/beta [32]",
		"conv2/kernel [3 3 32 32]", "bn2/gamma [32]", "bn2/beta [32]",
		"conv3/kernel [3 3 32 64]", "bn3/gamma [64]", "bn3/beta [64]",
		"conv4/kernel [3 3 64 64]", "bn4/gamma [64]", "bn4/beta [64]",
		"conv5/kernel [3 3 64 128]", "bn5/gamma [128]", "bn5/beta [128]",
		"conv6/kernel [3 3 128 128]", "bn6/gamma [128]", "bn6/beta [128]",
		"dense1/kernel [2048 512]", "bn7/gamma [512]", "bn7/beta [512]",
		"dense2/kernel [512 512]", "bn8/gamma [512]", "bn8/beta [512]",
	}
	for classes, total := range map[int]int{10: 1605354, 100: 1651524} {
		n := newNetwork(t, cifar, layers.PilotCNN().Layers(classes), 0)
		var got []string
		for _, p := range n.Parameters {
			got = append(got, fmt.Sprintf("%s %v", p.Name, p.Shape))
		}
		head := []string{fmt.Sprintf("out/kernel [512 %d]", classes), fmt.Sprintf("out/bias [%d]", classes)}
		if want := slices.Concat(want, head); !slices.Equal(got, want) {
			t.Errorf("%d classes: parameters\n%v, want\n%v", classes, got, want)
		}
		if n.Trainable() != total || n.Classes != classes {
			t.Errorf("%d classes: %d parameters for %d classes, want %d", classes, n.Trainable(), n.Classes, total)
		}
		moving := 0
		for _, s := range n.Statistics {
			moving += s.Value.Len()
		}
		if moving != 2944 || len(n.Statistics) != 16 || n.Statistics[0].Name != "bn1/moving_mean" || n.Statistics[15].Name != "bn8/moving_variance" {
			t.Errorf("%d classes: %d moving statistics in %d tensors, want 2944 in 16", classes, moving, len(n.Statistics))
		}
	}
}

// The pilot's perceptron on MNIST: 784*64+64 + 9*(64*64+64) + 64*10+10.
func TestPilotMLPParameters(t *testing.T) {
	n := newNetwork(t, layers.Shape{Height: 28, Width: 28, Channels: 1}, layers.PilotMLP().Layers(10), 0)
	if n.Trainable() != 88330 || len(n.Parameters) != 22 || len(n.Statistics) != 0 {
		t.Errorf("%d parameters in %d tensors and %d statistics, want 88330, 22 and 0", n.Trainable(), len(n.Parameters), len(n.Statistics))
	}
}

func TestModel(t *testing.T) {
	for _, name := range layers.Models() {
		chain, err := layers.Model(name, 7)
		check(t, err)
		if n := newNetwork(t, cifar, chain, 0); n.Classes != 7 {
			t.Errorf("%s: %d classes, want 7", name, n.Classes)
		}
	}
	_, err := layers.Model("resnet-of-nobody", 10)
	if err == nil || !strings.Contains(err.Error(), "pilotcnn") {
		t.Errorf("an unknown model: %v, want an error that lists the known ones", err)
	}
}

// A chain that makes no network is refused with the reason, by New or, where
// the device has to know the shape, by Bind.
func TestChainErrors(t *testing.T) {
	conv, dense := layers.Conv{Name: "c", Filters: 2, Kernel: 3}, layers.Dense{Name: "d", Units: 2}
	for _, c := range []struct {
		chain []layers.Layer
		want  string
	}{
		{[]layers.Layer{}, "not dense"},
		{[]layers.Layer{conv}, "not dense"},
		{[]layers.Layer{dense, conv}, "after a dense layer"},
		{[]layers.Layer{dense, layers.Epilogue{Name: "e", Pool: true}}, "pools after a dense layer"},
		{[]layers.Layer{dense, layers.Epilogue{Name: "e", Dropout: 1}}, "dropout"},
		{[]layers.Layer{dense, layers.Epilogue{Name: "e", Dropout: -0.1}}, "dropout"},
		{[]layers.Layer{dense, layers.Epilogue{Name: "e", Slope: -0.1}}, "slope"},
		{[]layers.Layer{dense, layers.Epilogue{Name: "e", Slope: 1.1}}, "slope"},
		{[]layers.Layer{layers.Conv{Name: "c", Filters: 2, Kernel: 2}, dense}, "odd"},
	} {
		n, err := layers.New(openStream(t, cpu.Options{}), layers.Shape{Height: 4, Width: 4, Channels: 1}, c.chain, 0)
		if err == nil {
			_, err = n.Bind(3)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want one with %q", c.chain, err, c.want)
		}
	}
}

func weights(t *testing.T, n *layers.Network) map[string][]float32 {
	t.Helper()
	tr := &trainer{TB: t, network: n}
	all := map[string][]float32{}
	for _, p := range n.Parameters {
		all[p.Name] = download(tr, p.Value)
	}
	return all
}

// Initial weights are a function of the seed and the tensor's name.
func TestInitialWeights(t *testing.T) {
	chain := func(name string, init layers.Initializer) []layers.Layer {
		return []layers.Layer{
			layers.Dense{Name: "first", Units: 33, Initializer: init},
			layers.Epilogue{Name: "norm", BatchNorm: true},
			layers.Dense{Name: name, Units: 33, Initializer: init},
			layers.Epilogue{Name: "out"},
		}
	}
	input := layers.Shape{Height: 1, Width: 1, Channels: 33}
	for _, init := range []layers.Initializer{layers.GlorotUniform, layers.HeNormal} {
		n := newNetwork(t, input, chain("second", init), 5)
		first := weights(t, n)
		for name, value := range map[string]float32{"norm/gamma": 1, "norm/beta": 0, "out/bias": 0} {
			if slices.ContainsFunc(first[name], func(v float32) bool { return v != value }) {
				t.Errorf("%s is %v, want all %g", name, first[name], value)
			}
		}
		for _, s := range n.Statistics {
			for _, v := range download(&trainer{TB: t, network: n}, s.Value) {
				if want := map[string]float32{"norm/moving_mean": 0, "norm/moving_variance": 1}[s.Name]; v != want {
					t.Fatalf("%s is %v, want %v", s.Name, v, want)
				}
			}
		}
		second := newNetwork(t, input, chain("second", init), 6)
		differ := func(what string, a, b []float32) {
			t.Helper()
			for i := range a {
				if a[i] == b[i] {
					t.Errorf("%s: element %d is %v in both", what, i, a[i])
				}
			}
		}
		differ("other seeds", first["first/kernel"], weights(t, second)["first/kernel"])
		differ("other names", first["first/kernel"], first["second/kernel"])
		renamed := weights(t, newNetwork(t, input, chain("renamed", init), 5))
		differ("a renamed layer", first["second/kernel"], renamed["renamed/kernel"])
		equalBits(t, "beside a renamed layer", renamed["first/kernel"], first["first/kernel"])
		check(t, second.Initialize(5))
		for name, w := range weights(t, second) {
			equalBits(t, name+" after Initialize", w, first[name])
		}
	}
}

// moments tests the mean, the variance and the correlation of near neighbours of
// n draws of mean 0 against a standard deviation, to four standard errors.
// kurtosis is the distribution's fourth moment over its squared variance.
func moments(t *testing.T, name string, values []float32, deviation, kurtosis float64) {
	t.Helper()
	n := float64(len(values))
	within := func(what string, got, want, standardError float64) {
		t.Helper()
		if math.Abs(got-want) > 4*standardError {
			t.Errorf("%s: %s %.5f of the unit, want %.0f +- %.5f", name, what, got, want, standardError)
		}
	}
	var sum, squares float64
	var products [9]float64 // by distance: pairs, words of a counter, counters
	for i, v := range values {
		x := float64(v) / deviation
		sum += x
		squares += x * x
		for distance := 1; distance < min(len(products), i+1); distance++ {
			products[distance] += x * float64(values[i-distance]) / deviation
		}
	}
	within("mean", sum/n, 0, math.Sqrt(1/n))
	within("variance", squares/n, 1, math.Sqrt((kurtosis-1)/n))
	for distance, product := range products[1:] {
		within(fmt.Sprintf("correlation at distance %d", distance+1), product/n, 0, math.Sqrt(1/n))
	}
}

// Glorot's uniform limit is sqrt(6 / (fan in + fan out)), here from the fans
// written out, a convolution's counting its 9 taps.
func TestGlorotUniform(t *testing.T) {
	fans := map[string]float64{
		"conv1/kernel": 9*3 + 9*32, "conv2/kernel": 9*32 + 9*32, "conv3/kernel": 9*32 + 9*64,
		"conv4/kernel": 9*64 + 9*64, "conv5/kernel": 9*64 + 9*128, "conv6/kernel": 9*128 + 9*128,
		"dense1/kernel": 2048 + 512, "dense2/kernel": 512 + 512, "out/kernel": 512 + 10,
	}
	all := weights(t, newNetwork(t, cifar, layers.PilotCNN().Layers(10), 3))
	for name, sum := range fans {
		limit := math.Sqrt(6 / sum)
		most := largest(exact.Widen(all[name]))
		// The largest of n draws misses the limit by limit/n on average.
		if most > limit*(1+unit) || most < limit*(1-20/float64(len(all[name]))) {
			t.Errorf("%s: largest weight %g, want just below %g", name, most, limit)
		}
		moments(t, name, all[name], limit/math.Sqrt(3), 9.0/5)
	}
}

// He's normal weights have variance 2 / fan in and are not truncated.
func TestHeNormal(t *testing.T) {
	chain := []layers.Layer{
		layers.Conv{Name: "conv", Filters: 32, Kernel: 3, Initializer: layers.HeNormal},
		layers.Dense{Name: "dense", Units: 65, Initializer: layers.HeNormal},
	}
	all := weights(t, newNetwork(t, layers.Shape{Height: 5, Width: 7, Channels: 33}, chain, 3))
	for name, fanIn := range map[string]float64{"conv/kernel": 9 * 33, "dense/kernel": 5 * 7 * 32} {
		deviation := math.Sqrt(2 / fanIn)
		moments(t, name, all[name], deviation, 3)
		// P(|x| > 2 deviations) = 0.0455: none in a truncated draw.
		outside := 0
		for _, v := range all[name] {
			if math.Abs(float64(v)) > 2*deviation {
				outside++
			}
		}
		n, p := float64(len(all[name])), 0.0455
		if math.Abs(float64(outside)-n*p) > 4*math.Sqrt(n*p*(1-p)) {
			t.Errorf("%s: %d of %.0f weights beyond two deviations, want %.0f", name, outside, n, n*p)
		}
	}
}
