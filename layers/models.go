package layers

import "fmt"

// CNN is the pilot's convolutional network. It has one block for each number in Filters:
// twice a 3x3 convolution, batch normalization and LeakyReLU; then 2x2 max pooling and
// dropout. Two dense layers of Dense units follow, with batch normalization, LeakyReLU and
// dropout; then the logits.
type CNN struct {
	Filters                    []int
	Dense                      int
	BlockDropout, DenseDropout float32
	Plain                      bool // biases in place of batch normalization
}

// PilotCNN returns the network of the pilot: 1,605,354 parameters for 32x32x3 pictures in
// 10 classes.
func PilotCNN() CNN {
	return CNN{Filters: []int{32, 64, 128}, Dense: 512, BlockDropout: 0.4, DenseDropout: 0.5}
}

// SmallCNN returns a small network with the pilot's structure, whose exact curvature takes
// seconds: 2,094 parameters for 8x8 grey pictures in 10 classes.
func SmallCNN() CNN {
	return CNN{Filters: []int{4, 8}, Dense: 16, BlockDropout: 0.4, DenseDropout: 0.5}
}

// DigitCNN returns a network with the pilot's structure that learns 8x8 grey pictures
// well and quickly: 29,658 parameters in 10 classes.
func DigitCNN() CNN {
	return CNN{Filters: []int{16, 32}, Dense: 64, BlockDropout: 0.4, DenseDropout: 0.5}
}

// PlainCNN returns SmallCNN with biases in place of normalization, to show the effect of
// normalization on the curvature: 2,038 parameters.
func PlainCNN() CNN {
	m := SmallCNN()
	m.Plain = true
	return m
}

// leakySlope is the pilot's slope of LeakyReLU for negative inputs.
const leakySlope = 0.01

// Layers returns the chain of layers for a number of classes. The last one has the logits.
func (m CNN) Layers(classes int) []Layer {
	var chain []Layer
	norm := 0
	epilogue := func(linear string, pool bool, dropout float32) {
		norm++
		name := fmt.Sprintf("bn%d", norm)
		if m.Plain {
			name = linear
		}
		chain = append(chain, Epilogue{Name: name, BatchNorm: !m.Plain, Slope: leakySlope, Pool: pool, Dropout: dropout})
	}
	for block, filters := range m.Filters {
		for i := 1; i <= 2; i++ {
			name := fmt.Sprintf("conv%d", 2*block+i)
			chain = append(chain, Conv{Name: name, Filters: filters, Kernel: 3})
			if i == 1 {
				epilogue(name, false, 0)
			} else {
				epilogue(name, true, m.BlockDropout)
			}
		}
	}
	for i := 1; i <= 2; i++ {
		name := fmt.Sprintf("dense%d", i)
		chain = append(chain, Dense{Name: name, Units: m.Dense})
		epilogue(name, false, m.DenseDropout)
	}
	return append(chain, Dense{Name: "out", Units: classes}, Epilogue{Name: "out", Slope: 1})
}

// MLP is a multilayer perceptron: Hidden dense layers of Units units with bias,
// LeakyReLU and dropout, He-normal weights; then the logits.
type MLP struct {
	Hidden, Units int
	Dropout       float32
}

// PilotMLP returns the network of the pilot's first study.
func PilotMLP() MLP { return MLP{Hidden: 10, Units: 64, Dropout: 0.004} }

// Layers returns the chain of layers for a number of classes. The last one has the logits.
func (m MLP) Layers(classes int) []Layer {
	var chain []Layer
	for i := 1; i <= m.Hidden; i++ {
		name := fmt.Sprintf("dense%d", i)
		chain = append(chain,
			Dense{Name: name, Units: m.Units, Initializer: HeNormal},
			Epilogue{Name: name, Slope: leakySlope, Dropout: m.Dropout})
	}
	return append(chain, Dense{Name: "out", Units: classes, Initializer: HeNormal}, Epilogue{Name: "out", Slope: 1})
}

// Models returns the names of the models.
func Models() []string { return []string{"pilotcnn", "smallcnn", "plaincnn", "digitcnn", "mlp"} }

// Model returns the chain of a model by its name, for a number of classes. It returns an
// error for an unknown name.
func Model(name string, classes int) ([]Layer, error) {
	switch name {
	case "pilotcnn":
		return PilotCNN().Layers(classes), nil
	case "smallcnn":
		return SmallCNN().Layers(classes), nil
	case "plaincnn":
		return PlainCNN().Layers(classes), nil
	case "digitcnn":
		return DigitCNN().Layers(classes), nil
	case "mlp":
		return PilotMLP().Layers(classes), nil
	}
	return nil, fmt.Errorf("unknown model %q (known: %v)", name, Models())
}
