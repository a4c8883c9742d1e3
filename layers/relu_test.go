package layers_test

import (
	"testing"

	"diaghess/gpu/cpu"
	"diaghess/layers"
)

// A layer of ReLU behind a bias or a normalization gives the bits of the epilogue that
// has it built in.
func TestReLUAndEpilogue(t *testing.T) {
	input, outputs := layers.Shape{Height: 5, Width: 3, Channels: 3}, [2][][]float32{}
	for i, relu := range [][]layers.Layer{{}, {layers.ReLU{Name: "relu"}}} {
		behind := func(e layers.Epilogue) []layers.Layer {
			e.Slope = float32(len(relu))
			return append([]layers.Layer{e}, relu...)
		}
		chain := []layers.Layer{layers.Conv{Name: "conv", Filters: 4, Kernel: 3}}
		chain = append(chain, behind(layers.Epilogue{Name: "conv"})...)
		chain = append(chain, layers.Conv{Name: "conv2", Filters: 17, Kernel: 3})
		chain = append(chain, behind(layers.Epilogue{Name: "norm2", BatchNorm: true})...)
		chain = append(chain, layers.Dense{Name: "dense", Units: 9})
		chain = append(chain, behind(layers.Epilogue{Name: "norm", BatchNorm: true})...)
		chain = append(chain, layers.Dense{Name: "out", Units: 3})

		tr := newTrainer(t, cpu.Options{}, input, chain, 6, 0.1)
		tr.draw(3, chain, 0.1)
		tr.run(tr.step)
		outputs[i] = append(outputs[i], download(tr, tr.batch.Logits), download(tr, tr.network.Gradients))
		tr.run(tr.eval)
		outputs[i] = append(outputs[i], download(tr, tr.batch.Logits))
	}
	for j, what := range []string{"logits", "gradients", "logits of inference"} {
		equalBits(t, what, outputs[1][j], outputs[0][j])
	}
}
