package layers_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"diaghess/gpu/cpu"
	"diaghess/layers"
	"diaghess/layers/exact"
)

// A spec comes back as its shortest form, or is refused with what is possible.
func TestModelSpec(t *testing.T) {
	for spec, want := range map[string]string{
		"mlp": "mlp", "mlp:layers=10,width=64,dropout=.004,bn=off,init=he,slope=0.01": "mlp",
		"mlp:bn=after,layers=7": "mlp:layers=7,bn=after", "mlp:dropout=0,layers=0": "mlp:layers=0,dropout=0",
		"pilotcnn:filters=32/64/128,dense=512,dropout=.4/.5": "pilotcnn", "pilotcnn:dense=256,filters=16/032": "pilotcnn:filters=16/32,dense=256",
		"julycnn:init=he-truncated,dropout=0/0": "julycnn:dropout=0/0,init=he-truncated", "plaincnn:bn=before": "plaincnn:bn=before",
	} {
		got, err := layers.ModelSpec(spec)
		check(t, err)
		again, err := layers.ModelSpec(got)
		check(t, err)
		if got != want || again != want {
			t.Errorf("%s is %s and then %s, want %s", spec, got, again, want)
		}
	}
	for spec, want := range map[string]string{
		"resnet-of-nobody":      "(known: pilotcnn, smallcnn, plaincnn, digitcnn, julycnn, mlp)",
		"mpl:layers=1":          `unknown model "mpl": did you mean mlp?`,
		"mlp:layer=1":           `model mlp: no key "layer": did you mean layers? (known: layers, width, dropout, bn, slope, init)`,
		"mlp:filters=1":         `no key "filters"`,
		"mlp:layers=1001":       "layers=1001: must be a whole number from 0 to 1000",
		"mlp:width=0":           "width=0: must be a whole number from 1 to 65536",
		"mlp:dropout=1":         "in [0, 1)",
		"mlp:slope=-.1":         "in [0, 1]",
		"mlp:bn=on":             "must be one of off, before, after",
		"mlp:init=lecunn":       "did you mean lecun?",
		"mlp:layers":            "key=value",
		"mlp:layers=1,layers=1": "twice",
		"pilotcnn:dropout=.4":   "dropout=.4: must be 2 values, with / between them",
		"pilotcnn:filters=":     "must be a whole number from 1 to 4096",
		"pilotcnn:filters=1/2/3/4/5/6/7/8/9/10/11": "must be 1 to 10 values",
	} {
		_, err := layers.Model(spec, 10)
		_, again := layers.ModelSpec(spec)
		if err == nil || !strings.Contains(err.Error(), want) || again == nil {
			t.Errorf("%s: %v and %v, want %q", spec, err, again, want)
		}
	}
}

// The help names every model, and keys with their defaults.
func TestModelHelp(t *testing.T) {
	var names []string
	for line := range strings.Lines(layers.ModelHelp()) {
		if name, what, heading := strings.Cut(line, ", "); heading && !strings.HasPrefix(line, " ") {
			names = append(names, name)
			if _, differ, ok := strings.Cut(what, "the keys of pilotcnn, with "); ok {
				if spec, err := layers.ModelSpec(name + ":" + strings.TrimSpace(differ)); err != nil || spec != name {
					t.Errorf("%q: %s, %v", line, spec, err)
				}
			}
			continue
		}
		fields := strings.Fields(line)
		name := names[len(names)-1]
		if spec, err := layers.ModelSpec(name + ":" + fields[0] + "=" + fields[1]); err != nil || spec != name {
			t.Errorf("%s, %q: %s, %v", name, line, spec, err)
		}
	}
	if !slices.Equal(names, layers.Models()) {
		t.Errorf("the help has %v, want %v", names, layers.Models())
	}
}

// Normalization is where the option says, and a bias where there is none before the activation.
func TestNormPlaces(t *testing.T) {
	for place, want := range map[string][]layers.Layer{
		"off":    {layers.Epilogue{Name: "dense1", Slope: 0.5, Dropout: 0.25}},
		"before": {layers.Epilogue{Name: "bn1", BatchNorm: true, Slope: 0.5, Dropout: 0.25}},
		"after":  {layers.Epilogue{Name: "dense1", Slope: 0.5}, layers.Epilogue{Name: "bn1", BatchNorm: true, Slope: 1, Dropout: 0.25}},
	} {
		want = slices.Concat([]layers.Layer{layers.Dense{Name: "dense1", Units: 8, Initializer: layers.LeCunNormal}}, want,
			[]layers.Layer{layers.Dense{Name: "out", Units: 3, Initializer: layers.LeCunNormal}, layers.Epilogue{Name: "out", Slope: 1}})
		if got := chainOf("mlp:layers=1,width=8,dropout=.25,slope=.5,init=lecun,bn=" + place); !slices.Equal(got, want) {
			t.Errorf("bn=%s: %+v, want %+v", place, got, want)
		}
	}
}

// The pilot's first network has 6 convolutions with a bias and a normalization, and one hidden dense
// layer with a bias: 286,560 weights of filters, 448 biases, 896 of normalizations, 2048*512+512, 512*10+10.
func TestJulyCNN(t *testing.T) {
	n := newNetwork(t, cifar, layers.JulyCNN().Layers(10), 0)
	if n.Trainable() != 1342122 || len(n.Parameters) != 6*4+2+2 || len(n.Statistics) != 12 {
		t.Errorf("%d parameters in %d tensors and %d statistics, want 1342122, 28 and 12", n.Trainable(), len(n.Parameters), len(n.Statistics))
	}
	chain := layers.JulyCNN().Layers(10)
	want := []layers.Layer{
		layers.Conv{Name: "conv2", Filters: 32, Kernel: 3}, layers.Epilogue{Name: "conv2", Slope: 1},
		layers.Epilogue{Name: "bn2", BatchNorm: true, Pool: true, Dropout: 0.4},
	}
	if got := chain[3:6]; !slices.Equal(got, want) {
		t.Errorf("layers %+v, want %+v", got, want)
	}
	want = []layers.Layer{
		layers.Dense{Name: "dense1", Units: 512}, layers.Epilogue{Name: "dense1", Dropout: 0.25},
		layers.Dense{Name: "out", Units: 10}, layers.Epilogue{Name: "out", Slope: 1},
	}
	if got := chain[18:]; !slices.Equal(got, want) {
		t.Errorf("layers %+v, want %+v", got, want)
	}
}

// A network or a batch whose elements a kernel cannot count is refused before memory is asked for.
func TestTooLarge(t *testing.T) {
	stream := openStream(t, cpu.Options{})
	if _, err := layers.New(stream, cifar, chainOf("mlp:layers=2,width=65536"), 0); err == nil || !strings.Contains(err.Error(), "parameters, at most 2147483647") {
		t.Errorf("a network of 4e9 weights: %v", err)
	}
	n, err := layers.New(stream, cifar, chainOf("smallcnn"), 0)
	check(t, err)
	if _, err := n.Bind(1 << 20); err == nil || !strings.Contains(err.Error(), "layer conv1 has 4294967296 outputs") {
		t.Errorf("a batch of 4e9 activations: %v", err)
	}
}

// Keras's he_normal has He's variance, and no weight beyond two deviations of the distribution that
// is truncated. Its kurtosis is m4 / v^2 = 2.3656, with q = 2 phi(2) / (Phi(2) - Phi(-2)) = 0.113134,
// v = 1 - 2 q and m4 = 3 - 14 q. LeCun's has variance 1 / fan in.
func TestTruncatedAndLeCun(t *testing.T) {
	input := layers.Shape{Height: 1, Width: 1, Channels: 200, Flat: true}
	for name, c := range map[string]struct{ variance, kurtosis float64 }{"he-truncated": {2, 2.3656}, "lecun": {1, 3}} {
		kernel := weights(t, newNetwork(t, input, chainOf("mlp:layers=1,width=300,init="+name), 3))["dense1/kernel"]
		moments(t, name, kernel, math.Sqrt(c.variance/200), c.kurtosis)
		limit := 2 * math.Sqrt(2.0/200) / 0.8796256610342398
		if most := largest(exact.Widen(kernel)); name == "he-truncated" && !(most <= limit*(1+unit) && most > 0.99*limit) {
			t.Errorf("the largest weight is %g, want just below %g", most, limit)
		}
	}
}

// FuzzModel: a text is refused, or is a model whose shortest spec means the same layers.
func FuzzModel(f *testing.F) {
	for _, name := range layers.Models() {
		f.Add(name)
	}
	f.Add("mlp:layers=7,width=3,dropout=.1,bn=after,init=lecun,slope=1")
	f.Add("pilotcnn:filters=32/64,dense=5,dropout=.4/0,bn=off,init=he-truncated")
	f.Fuzz(func(t *testing.T, spec string) {
		chain, err := layers.Model(spec, 3)
		short, again := layers.ModelSpec(spec)
		if (err == nil) != (again == nil) {
			t.Fatalf("%v and %v", err, again)
		}
		if err == nil && !slices.Equal(chainOf(short), chain) {
			t.Errorf("%s and %s are other layers", spec, short)
		}
	})
}
