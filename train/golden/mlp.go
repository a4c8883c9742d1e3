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
	EpochIndex     string  `json:"epoch_index"` // of a case with epochs: the formula of a step's epoch
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

// readMLP returns the parts of a vector with the layout of the network's values that are each
// layer's: weights, [out, in], and biases.
func readMLP(n *layers.Network, vector gpu.Slice[float32]) (weights, biases [][]float32) {
	for i := range len(n.Parameters) / 2 {
		kernel, bias := n.Parameters[2*i], n.Parameters[2*i+1]
		w := downloadParameter(n.Stream, kernel, kernel.In(vector))
		weights = append(weights, transpose(w, kernel.Shape[0], kernel.Shape[1]))
		biases = append(biases, download(n.Stream, bias.In(vector)))
	}
	return weights, biases
}

// joined puts a layer's weights, [out, in], and biases in one matrix, [out, in+1].
func joined(weights, biases []float32) (joint []float32) {
	in := len(weights) / len(biases)
	for o, b := range biases {
		joint = append(append(joint, weights[o*in:][:in]...), b)
	}
	return joint
}

// bindMLP returns the network of a case, and its batch.
func bindMLP(s gpu.Stream, config mlpConfig) (*layers.Network, *layers.Batch) {
	const seed = 0 // of weights that the case's replace
	widths := config.Layers
	n := must(layers.New(s, layers.Shape{Height: 1, Width: 1, Channels: widths[0], Flat: true}, mlpChain(widths[1:]), seed))
	return n, must(n.Bind(config.Batch))
}

// uploadMLPBatch uploads the samples of a step, counted from 0, and returns them.
func uploadMLPBatch(c *Case, n *layers.Network, batch *layers.Batch, step int) []float32 {
	var labels []int32
	for row := range slices.Chunk(must(Read[float32](c, "y")).At(step), n.Classes) {
		labels = append(labels, int32(slices.Index(row, 1)))
	}
	x := must(Read[float32](c, "X")).At(step)
	upload(n.Stream, batch.X, x)
	upload(n.Stream, batch.Labels, labels)
	return x
}

// firstMLPBatch computes gradients, probabilities and loss of batch 1 with the
// initial weights, and its clean loss with the weights of the last step.
func firstMLPBatch(s gpu.Stream, c *Case, config mlpConfig) results {
	n, batch := bindMLP(s, config)
	uploadMLPBatch(c, n, batch, 0)
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
	weights, biases := readMLP(n, n.Gradients)
	for i, w := range weights {
		r[fmt.Sprintf("gradient/%d", i)] = joined(w, biases[i])
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
func mlpTrajectories(c *Case) []*Trajectory {
	return []*Trajectory{mlpTrajectory(c, configOf[mlpConfig](c), "Gf32")}
}

// mlpTrajectory compares the first batch of a case. The program's gradients in float32 are the
// arrays PROGRAM/i, whose checks are PROGRAM_vs_exact.
//
// The checks tell how far float32 gradients are from the exact ones, relative to
// the largest of a layer, and the manifest allows 20 times that, 21 against
// another float32 program. Losses and probabilities, of order 1, are forward of
// the gradients: the largest of these shares is theirs, with a unit in the last
// place.
func mlpTrajectory(c *Case, config mlpConfig, program string) *Trajectory {
	compute := func(s gpu.Stream) results { return firstMLPBatch(s, c, config) }
	return &Trajectory{Name: c.Name, of: c, compute: compute, compare: func(k *comparison) {
		var share float64
		for i := range config.Layers[1:] {
			check := must(c.Check(layerChecks(i), program+"_vs_exact"))
			share = max(share, check)
			exact := fmt.Sprintf("G64/%d", i)
			largest := largestOf(must(Read[float64](c, exact)).Values)
			gradient := fmt.Sprintf("gradient/%d", i)
			k.float64s("exact gradients", gradient, exact, constant(20*check*largest))
			k.float32s("float32 gradients", gradient, fmt.Sprintf("%s/%d", program, i), constant(21*check*largest))
		}
		k.float64s("loss", "loss", "loss64_step1", k.orUlp("loss", 20*share))
		k.float32s("clean loss", "clean loss", "compute_loss_end", k.orUlp("clean loss", 21*share))
		k.float32s("probabilities", "softmax", "p1", k.orUlp("softmax", 21*share))
	}}
}

// layerChecks names the checks of a layer.
func layerChecks(i int) string { return fmt.Sprintf("layer%d (max diff over max)", i) }
