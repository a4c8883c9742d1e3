package layers

import (
	"fmt"
	"slices"
	"strings"

	"diaghess/nearest"
	"diaghess/nearest/keys"
)

// Where batch normalization is in a hidden layer. Without, there is a bias; behind the activation there is
// one before it. That is the order of the pilot's perceptrons in Keras.
const (
	NoNorm     = "off"
	NormBefore = "before" // the activation
	NormAfter  = "after"  // the activation
)

// hidden returns what follows a linear layer of a name: normalization, which is called norm, LeakyReLU,
// pooling and dropout. biased has a bias before a normalization, too.
func hidden(name, norm, place string, biased bool, e Epilogue) []Layer {
	before := Epilogue{Name: name, Slope: 1}
	switch {
	case place == NoNorm:
		e.Name = name
		return []Layer{e}
	case place == NormAfter:
		before.Slope, e.Slope = e.Slope, 1
	case !biased:
		e.Name, e.BatchNorm = norm, true
		return []Layer{e}
	}
	e.Name, e.BatchNorm = norm, true
	return []Layer{before, e}
}

// CNN is the pilot's convolutional network. It has one block for each number in Filters:
// twice a 3x3 convolution, batch normalization and LeakyReLU; then 2x2 max pooling and
// dropout. Hidden dense layers of Dense units follow, with batch normalization, LeakyReLU and
// dropout; then the logits.
type CNN struct {
	Filters                    []int
	Dense, Hidden              int
	BlockDropout, DenseDropout float64
	Norm                       string  // NoNorm, NormBefore or NormAfter
	Slope                      float64 // of LeakyReLU for negative inputs
	Initializer                Initializer
	// July is the pilot's first network: convolutions have a bias before their normalization, too,
	// and dense layers a bias in place of theirs.
	July bool
}

// PilotCNN returns the network of the pilot: 1,605,354 parameters for 32x32x3 pictures in
// 10 classes.
func PilotCNN() CNN {
	return CNN{Filters: []int{32, 64, 128}, Dense: 512, Hidden: 2, BlockDropout: 0.4, DenseDropout: 0.5, Norm: NormBefore, Slope: leakySlope}
}

// JulyCNN returns the pilot's network of July 2025, with ReLU and one hidden dense layer:
// 1,342,122 parameters for 32x32x3 pictures in 10 classes.
func JulyCNN() CNN {
	m := PilotCNN()
	m.Hidden, m.DenseDropout, m.Slope, m.July = 1, 0.25, 0, true
	return m
}

// SmallCNN returns a small network with the pilot's structure, whose exact curvature takes
// seconds: 2,094 parameters for 8x8 grey pictures in 10 classes.
func SmallCNN() CNN {
	m := PilotCNN()
	m.Filters, m.Dense = []int{4, 8}, 16
	return m
}

// DigitCNN returns a network with the pilot's structure that learns 8x8 grey pictures
// well and quickly: 29,658 parameters in 10 classes.
func DigitCNN() CNN {
	m := PilotCNN()
	m.Filters, m.Dense = []int{16, 32}, 64
	return m
}

// PlainCNN returns SmallCNN with biases in place of normalization, to show the effect of
// normalization on the curvature: 2,038 parameters.
func PlainCNN() CNN {
	m := SmallCNN()
	m.Norm = NoNorm
	return m
}

// leakySlope is the pilot's slope of LeakyReLU for negative inputs.
const leakySlope = 0.01

// Layers returns the chain of layers for a number of classes. The last one has the logits.
func (m CNN) Layers(classes int) []Layer {
	var chain []Layer
	norm := 0
	follow := func(linear, place string, pool bool, dropout float64) {
		norm++
		e := Epilogue{Slope: float32(m.Slope), Pool: pool, Dropout: float32(dropout)}
		chain = append(chain, hidden(linear, fmt.Sprintf("bn%d", norm), place, m.July, e)...)
	}
	for block, filters := range m.Filters {
		for i := 1; i <= 2; i++ {
			name := fmt.Sprintf("conv%d", 2*block+i)
			chain = append(chain, Conv{Name: name, Filters: filters, Kernel: 3, Initializer: m.Initializer})
			if i == 1 {
				follow(name, m.Norm, false, 0)
			} else {
				follow(name, m.Norm, true, m.BlockDropout)
			}
		}
	}
	place := m.Norm
	if m.July {
		place = NoNorm
	}
	for i := 1; i <= m.Hidden; i++ {
		name := fmt.Sprintf("dense%d", i)
		chain = append(chain, Dense{Name: name, Units: m.Dense, Initializer: m.Initializer})
		follow(name, place, false, m.DenseDropout)
	}
	return append(chain, Dense{Name: "out", Units: classes, Initializer: m.Initializer}, Epilogue{Name: "out", Slope: 1})
}

// model returns the network as one with options.
func (m CNN) model(name, what string) model {
	dropout, kernel := []float64{m.BlockDropout, m.DenseDropout}, m.Initializer.String()
	filters := func(v *int) keys.Key { return keys.Integer("filters", "", v, 1, mostFilters) }
	rate := func(v *float64) keys.Key { return keys.Fraction("dropout", "", v) }
	return model{name, what, []keys.Key{
		keys.List("filters", "filters of each block of two convolutions", &m.Filters, 1, mostBlocks, filters),
		keys.Integer("dense", "units of a hidden dense layer", &m.Dense, 1, mostUnits),
		keys.List("dropout", "rates behind a block and behind a hidden dense layer", &dropout, 2, 2, rate),
		normKey(&m.Norm), slopeKey(&m.Slope), initKey(&kernel),
	}, func(classes int) []Layer {
		m.BlockDropout, m.DenseDropout, m.Initializer = dropout[0], dropout[1], initializerOf(kernel)
		return m.Layers(classes)
	}}
}

// MLP is a multilayer perceptron: Hidden dense layers of Units units with bias,
// LeakyReLU and dropout; then the logits.
type MLP struct {
	Hidden, Units int
	Dropout       float64
	Norm          string  // NoNorm, NormBefore or NormAfter
	Slope         float64 // of LeakyReLU for negative inputs
	Initializer   Initializer
}

// PilotMLP returns the network of the pilot's first study.
func PilotMLP() MLP {
	return MLP{Hidden: 10, Units: 64, Dropout: 0.004, Norm: NoNorm, Slope: leakySlope, Initializer: HeNormal}
}

// Layers returns the chain of layers for a number of classes. The last one has the logits.
func (m MLP) Layers(classes int) []Layer {
	var chain []Layer
	for i := 1; i <= m.Hidden; i++ {
		name := fmt.Sprintf("dense%d", i)
		chain = append(chain, Dense{Name: name, Units: m.Units, Initializer: m.Initializer})
		e := Epilogue{Slope: float32(m.Slope), Dropout: float32(m.Dropout)}
		chain = append(chain, hidden(name, fmt.Sprintf("bn%d", i), m.Norm, false, e)...)
	}
	return append(chain, Dense{Name: "out", Units: classes, Initializer: m.Initializer}, Epilogue{Name: "out", Slope: 1})
}

// model returns the network as one with options.
func (m MLP) model(name, what string) model {
	kernel := m.Initializer.String()
	return model{name, what, []keys.Key{
		keys.Integer("layers", "hidden layers", &m.Hidden, 0, mostLayers),
		keys.Integer("width", "units of a hidden layer", &m.Units, 1, mostUnits),
		keys.Fraction("dropout", "rate behind a hidden layer", &m.Dropout),
		normKey(&m.Norm), slopeKey(&m.Slope), initKey(&kernel),
	}, func(classes int) []Layer {
		m.Initializer = initializerOf(kernel)
		return m.Layers(classes)
	}}
}

// The limits of options: more than networks have that this program is for, and so few that no
// number of elements of a sample overflows.
const mostLayers, mostUnits, mostBlocks, mostFilters = 1000, 65536, 10, 4096

func normKey(place *string) keys.Key {
	return keys.Choice("bn", "batch normalization: off, or before or after the activation", place, []string{NoNorm, NormBefore, NormAfter})
}

func slopeKey(slope *float64) keys.Key {
	return keys.Number("slope", "slope of LeakyReLU below 0; 0 is ReLU, 1 the identity", slope, func(v float64) bool { return v >= 0 && v <= 1 }, "in [0, 1]")
}

func initKey(kernel *string) keys.Key {
	return keys.Choice("init", "kernels: glorot (uniform), he (normal), he-truncated (Keras's he_normal), lecun (normal, variance 1/inputs)", kernel, initializerNames())
}

func initializerOf(name string) Initializer {
	return Initializer(slices.Index(initializerNames(), name))
}

// model is a network with its options.
type model struct {
	name, what string
	keys       []keys.Key
	layers     func(classes int) []Layer
}

// models returns all models, with their defaults.
func models() []model {
	return []model{
		PilotCNN().model("pilotcnn", "the pilot's network"),
		SmallCNN().model("smallcnn", "whose exact curvature takes seconds"),
		PlainCNN().model("plaincnn", "which has biases for normalization"),
		DigitCNN().model("digitcnn", "for 8x8 pictures"),
		JulyCNN().model("julycnn", "the pilot's first, with biases before normalization and one hidden dense layer without"),
		PilotMLP().model("mlp", "the pilot's perceptron"),
	}
}

// Models returns the names of the models.
func Models() []string {
	var names []string
	for _, m := range models() {
		names = append(names, m.name)
	}
	return names
}

// parseModel reads a spec, and also returns the model's defaults.
func parseModel(spec string) (m, defaults model, err error) {
	name, settings, _ := strings.Cut(spec, ":")
	i := slices.Index(Models(), name)
	if i < 0 {
		return m, m, nearest.Unknown("model", name, Models())
	}
	m, defaults = models()[i], models()[i]
	if err := keys.Set(m.keys, settings); err != nil {
		return m, m, fmt.Errorf("model %s: %w", name, err)
	}
	return m, defaults, nil
}

// Model returns the chain of layers of a model for a number of classes. Its spec is name or
// name:key=value,..., and keys that it leaves out keep their defaults. An unknown name or key is an error
// that lists the known ones; a value out of its range is one, too.
func Model(spec string, classes int) ([]Layer, error) {
	m, _, err := parseModel(spec)
	if err != nil {
		return nil, err
	}
	return m.layers(classes), nil
}

// ModelSpec returns the shortest spec of the same model, for a record: what is a default is left
// out, and the keys have a fixed order. Errors are those of [Model].
func ModelSpec(spec string) (string, error) {
	m, defaults, err := parseModel(spec)
	if err != nil {
		return "", err
	}
	return keys.Spec(m.name, m.keys, defaults.keys), nil
}

// ModelHelp returns a list of the models for a person, with their keys and defaults: of networks
// with the same keys those of the first, and what differs.
func ModelHelp() string {
	var b strings.Builder
	var first model
	for _, m := range models() {
		if first.keys == nil || m.keys[0].Name != first.keys[0].Name {
			first = m
			b.WriteString(keys.Help(m.name+", "+m.what, m.keys))
			continue
		}
		_, differ, _ := strings.Cut(keys.Spec("", m.keys, first.keys), ":")
		fmt.Fprintf(&b, "%s, %s: the keys of %s, with %s\n", m.name, m.what, first.name, differ)
	}
	return b.String()
}
