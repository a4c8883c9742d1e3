package golden

import (
	"fmt"
	"math"
	"slices"

	"diaghess/gpu"
	"diaghess/layers"
)

type mlpConfig struct {
	Layers         []int   `json:"layers"` // widths, from input to classes
	Batch          int     `json:"batch"`
	LabelSmoothing float32 `json:"label_smoothing"`
	Steps          int     `json:"steps"`
}

// mlpChain is the multilayer perceptron of the given widths without dropout.
func mlpChain(widths []int) []layers.Layer {
	var chain []layers.Layer
	for i, units := range widths {
		name, slope := fmt.Sprintf("dense%d", i), float32(0.01)
		if i == len(widths)-1 {
			slope = 1
		}
		chain = append(chain, layers.Dense{Name: name, Units: units}, layers.Epilogue{Name: name, Slope: slope})
	}
	return chain
}

// transpose turns a matrix [rows, columns].
func transpose[T float32 | float64](m []T, rows, columns int) []T {
	turned := make([]T, len(m))
	for r := range rows {
		for c := range columns {
			turned[c*rows+r] = m[r*columns+c]
		}
	}
	return turned
}

// mlpWeights uploads the arrays PREFIX/i, [out, in], and BIAS/i, [out, 1], of a
// case, whose weights this project has as [in, out].
func mlpWeights(c *Case, n *layers.Network, prefix, bias string) {
	for i := range len(n.Parameters) / 2 {
		w := must(Read[float32](c, fmt.Sprintf("%s/%d", prefix, i)))
		kernel := n.Parameters[2*i]
		uploadParameter(n.Stream, kernel, kernel.Value, transpose(w.Values, w.Shape[0], w.Shape[1]))
		upload(n.Stream, n.Parameters[2*i+1].Value, must(Read[float32](c, fmt.Sprintf("%s/%d", bias, i))).Values)
	}
}

// firstMLPBatch computes gradients, probabilities and loss of batch 1 with the
// initial weights, and its clean loss with the weights of the last step.
func firstMLPBatch(s gpu.Stream, c *Case, config mlpConfig) results {
	const seed = 0 // of weights that the case's replace
	widths := config.Layers
	n := must(layers.New(s, layers.Shape{Height: 1, Width: 1, Channels: widths[0], Flat: true}, mlpChain(widths[1:]), seed))
	batch := must(n.Bind(config.Batch))
	var labels []int32
	for row := range slices.Chunk(must(Read[float32](c, "y")).At(0), n.Classes) {
		labels = append(labels, int32(slices.Index(row, 1)))
	}
	upload(s, batch.X, must(Read[float32](c, "X")).At(0))
	upload(s, batch.Labels, labels)
	mlpWeights(c, n, "W0", "b0")
	runProgram(s, compile(s, func(r *gpu.Recorder) {
		batch.Forward(r, true)
		batch.Loss(r, config.LabelSmoothing, true)
		batch.Backward(r, n.Gradients)
	}))
	r := results{
		"loss":    {mean(download(s, batch.RowLoss))},
		"softmax": softmax(download(s, batch.Logits), n.Classes),
	}
	for i := range widths[1:] {
		in, out := widths[i], widths[i+1]
		kernel := n.Parameters[2*i]
		weights := transpose(downloadParameter(s, kernel, kernel.Gradient), in, out)
		biases := download(s, n.Parameters[2*i+1].Gradient)
		var joint []float32 // [out, in+1]
		for o := range out {
			joint = append(append(joint, weights[o*in:][:in]...), biases[o])
		}
		r[fmt.Sprintf("gradient/%d", i)] = joint
	}
	last := fmt.Sprintf("step%d/", config.Steps)
	mlpWeights(c, n, last+"W", last+"b")
	runProgram(s, compile(s, func(r *gpu.Recorder) {
		batch.Forward(r, false)
		batch.Loss(r, 0, false)
	}))
	r["clean loss"] = []float32{mean(download(s, batch.RowLoss))}
	return r
}

func mean(values []float32) float32 {
	var sum float64
	for _, v := range values {
		sum += float64(v)
	}
	return float32(sum / float64(len(values)))
}

// softmax turns rows of logits into probabilities.
func softmax(logits []float32, classes int) []float32 {
	var p []float32
	for row := range slices.Chunk(logits, classes) {
		var sum float64
		for _, z := range row {
			sum += math.Exp(float64(z))
		}
		for _, z := range row {
			p = append(p, float32(math.Exp(float64(z))/sum))
		}
	}
	return p
}

// mlpTrajectories compare the multilayer perceptron of the pilot's first study
// with exact gradients in float64 and against the pilot's own program in
// float32, as far as that goes without curvature; TestGoldenMLPCurvature has the
// rest.
//
// The checks tell how far float32 gradients are from the exact ones, relative to
// the largest of a layer, and the manifest allows 20 times that, 21 against
// another float32 program. Losses and probabilities, of order 1, are forward of
// the gradients: the largest of these shares is theirs, with a unit in the last
// place.
func mlpTrajectories(c *Case) []*Trajectory {
	config := configOf[mlpConfig](c)
	compute := func(s gpu.Stream) results { return firstMLPBatch(s, c, config) }
	return []*Trajectory{{Name: c.Name, of: c, compute: compute, compare: func(k *comparison) {
		var share float64
		for i := range config.Layers[1:] {
			check := must(c.Check(fmt.Sprintf("layer%d (max diff over max)", i), "Gf32_vs_exact"))
			share = max(share, check)
			exact := fmt.Sprintf("G64/%d", i)
			largest := largestOf(must(Read[float64](c, exact)).Values)
			gradient := fmt.Sprintf("gradient/%d", i)
			k.float64s("exact gradients", gradient, exact, constant(20*check*largest))
			k.float32s("float32 gradients", gradient, fmt.Sprintf("Gf32/%d", i), constant(21*check*largest))
		}
		k.float64s("loss", "loss", "loss64_step1", k.orUlp("loss", 20*share))
		k.float32s("clean loss", "clean loss", "compute_loss_end", k.orUlp("clean loss", 21*share))
		k.float32s("probabilities", "softmax", "p1", k.orUlp("softmax", 21*share))
	}}}
}
