package golden

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/optim"
)

// epochSteps is the number of steps in the formula of a step's epoch.
var epochSteps = regexp.MustCompile(`^\(step-1\)//([1-9][0-9]*),`)

// originalTrajectories compare the rule file original, on the case's perceptron, with a float64
// trajectory that has the exact curvature, which is then the device's, and with the program of
// the rule's authors, whose curvature, [maskless], the rule is then given.
//
// The checks tell how far float32 gradients are from exact ones as a share of the largest, and so for the
// curvature of the last two layers. As in mlpTrajectory 21 times that is allowed. With d = c1 g / n
// and n = |c2 g^2 + c1 h| + lambda
//
//	|dd/dg| <= c1 / lambda,  |dd/dh| <= c1 / lambda  |g| c1 / lambda
//
// so a share of h counts no more than one of g while c1 h < lambda. The slot m is a mean of d, and a
// step is at most rate m, with 16 roundings from g and h to it. Each of two programs rounds
// each new weight once, by half a unit in the last place.
func originalTrajectories(c *Case) []*Trajectory {
	config := configOf[mlpConfig](c)
	match := epochSteps.FindStringSubmatch(config.EpochIndex)
	if match == nil {
		demand(fmt.Errorf("golden case %s: its epoch_index is %q, want (step-1)//N and a comma", c.Name, config.EpochIndex))
	}
	run := optim.Length{Steps: config.Steps, StepsPerEpoch: must(strconv.Atoi(match[1]))}
	const rate, slope = 8.192 * (0.115 + 0.01), 1.708984375e-3 / 1e-2 // c1 / lambda
	depth, share := len(config.Layers)-1, 0.0
	for i := range depth {
		share = max(share, must(c.Check(layerChecks(i), "G_vs_exact")))
		if i >= depth-2 {
			share = max(share, must(c.Check(layerChecks(i), "H_vs_exact")))
		}
	}
	// follow compares what a step left, in arrays that the case may have.
	follow := func(k *comparison, suffix string) {
		tolerance := 0.0
		for step := 1; step <= config.Steps; step++ {
			of := fmt.Sprintf("step%d/", step)
			d := slope * float64(k.r[of+"largest"][0]) * (42*share + 16*epsilon)
			tolerance += rate * d
			for _, name := range []string{"W", "b", "mW", "mb"} {
				for i := range depth {
					ours, array := fmt.Sprintf("%s%s/%d", of, name, i), fmt.Sprintf("%s%s%s/%d", of, name, suffix, i)
					within := func(j int) float64 { return tolerance + float64(step)*ulp(k.r[ours][j]) }
					if name[0] == 'm' {
						within = constant(d)
					}
					switch {
					case c.arrays[array+".npy"] == nil: // not all steps are saved
					case suffix == "":
						k.float32s(name, ours, array, within)
					default:
						k.float64s(name, ours, array, within)
					}
				}
			}
		}
	}
	return []*Trajectory{
		mlpTrajectory(c, config, "G"),
		{Name: c.Name + "/exact", of: c,
			compute: func(s gpu.Stream) results { return trainOriginal(s, c, config, run, false) },
			compare: func(k *comparison) { follow(k, "64") }},
		{Name: c.Name + "/program", of: c,
			compute: func(s gpu.Stream) results { return trainOriginal(s, c, config, run, true) },
			compare: func(k *comparison) {
				for i := range depth {
					h := fmt.Sprintf("H/%d", i)
					k.float32s("H", h, h, constant(21*share*largestOf(k.r[h])))
				}
				follow(k, "")
			}},
	}
}

// trainOriginal trains on the case's batches, with the rule's own curvature or with [maskless].
// Results have the names of the case's arrays, and stepN/largest is the largest gradient of step N.
func trainOriginal(s gpu.Stream, c *Case, config mlpConfig, run optim.Length, given bool) results {
	const seed = 0 // the exact curvature draws nothing
	n, batch := bindMLP(s, config)
	mlpWeights(c, n, "W0", "b0")
	rule, r := must(optim.Parse("original")), results{}
	var o *optim.Optimizer
	diagonal := must(gpu.Alloc[float32](s, n.Values.Len()))
	if given {
		o = must(optim.New(s, rule, optim.TensorsOf(n), run, diagonal, false))
	} else {
		o = must(optim.ForNetwork(n, rule, run, seed))
	}
	forward := compile(s, func(r *gpu.Recorder) {
		batch.Forward(r, true)
		batch.Loss(r, config.LabelSmoothing, true)
		batch.Backward(r, n.Gradients)
		if o.Estimates() {
			demand(o.RecordEstimate(r, batch))
		}
	})
	update := compile(s, func(r *gpu.Recorder) { demand(o.Record(r)) })
	loss, state := make([]float32, run.StepsPerEpoch), make([]uint32, kernels.StateWords)
	for step := range config.Steps {
		x := uploadMLPBatch(c, n, batch, step)
		weights, biases := readMLP(n, n.Values)
		if given {
			for i, h := range maskless(weights, biases, x, config.Batch) {
				kernel, bias := n.Parameters[2*i], n.Parameters[2*i+1]
				uploadParameter(s, kernel, kernel.In(diagonal), transpose(h.weights, kernel.Shape[1], kernel.Shape[0]))
				upload(s, bias.In(diagonal), h.biases)
				if step == 0 {
					r[fmt.Sprintf("H/%d", i)] = joined(h.weights, h.biases)
				}
			}
		}
		runProgram(s, forward)
		state[kernels.StateStep], state[kernels.StateBatch] = uint32(step), uint32(step%run.StepsPerEpoch)
		loss[step%run.StepsPerEpoch] = mean(download(s, batch.RowLoss))
		upload(s, o.State, state)
		upload(s, o.Loss, loss)
		of := fmt.Sprintf("step%d/", step+1)
		r[of+"largest"] = []float32{float32(largestOf(download(s, n.Gradients)))}
		runProgram(s, update)
		for prefix, vector := range map[string]gpu.Slice[float32]{"": n.Values, "m": o.Slot("m")} {
			weights, biases := readMLP(n, vector)
			for i := range weights {
				r[fmt.Sprintf("%s%sW/%d", of, prefix, i)], r[fmt.Sprintf("%s%sb/%d", of, prefix, i)] = weights[i], biases[i]
			}
		}
	}
	return r
}

// layerDiagonal is a diagonal's part that a layer has: of its weights, [out, in], and biases.
type layerDiagonal struct{ weights, biases []float32 }

// maskless is the curvature of the original rule's program, from the weights, [out, in], and
// biases of each layer, and samples X, [batch, in]. With f the derivatives of the activations behind layer
// i and p the probabilities, of n layers, for each sample
//
//	T[n-1] = p - p^2
//	D[n-2] = W[n-1]^T diag(p) W[n-1],             e[n-2] = f W[n-1]^T p
//	T[n-2] = f^2 diag(D[n-2]) - e[n-2]^2
//	D[i]   = f f^T (W[i+1]^T D[i+1] W[i+1]),      e[i]   = f W[i+1]^T e[i+1]
//	T[i]   = diag(D[i]) - e[i]^2
//
// and the diagonal is the mean of T[i] [X[i]; 1]^2. The exact D[n-2] has a factor f f^T.
func maskless(weights, biases [][]float32, samples []float32, batch int) []layerDiagonal {
	const slope = 0.01
	depth := len(weights)
	sums := make([][]float64, depth) // [out, in+1]
	for i, b := range biases {
		sums[i] = make([]float64, len(weights[i])+len(b))
	}
	for x := range slices.Chunk(samples, len(samples)/batch) {
		inputs, slopes := [][]float64{nil}, make([][]float64, depth)
		for _, v := range x {
			inputs[0] = append(inputs[0], float64(v))
		}
		for i, b := range biases {
			in := len(inputs[i])
			var a []float64
			for o := range b {
				z := float64(b[o])
				for j, v := range inputs[i] {
					z += float64(weights[i][o*in+j]) * v
				}
				f := 1.0
				if i < depth-1 && z < 0 {
					f = slope
				}
				a, slopes[i] = append(a, f*z), append(slopes[i], f)
			}
			inputs = append(inputs, a)
		}
		p := make([]float64, len(inputs[depth]))
		total := 0.0
		for o, z := range inputs[depth] {
			p[o] = math.Exp(z)
			total += p[o]
		}
		d, e := make([][]float64, len(p)), p
		for o := range p {
			p[o] /= total
			d[o] = make([]float64, len(p))
			d[o][o] = p[o]
		}
		for i := depth - 1; i >= 0; i-- {
			in := len(inputs[i])
			for o := range e {
				t := d[o][o] - e[o]*e[o]
				if i == depth-2 {
					t = d[o][o]*slopes[i][o]*slopes[i][o] - e[o]*e[o]
				}
				for j := range in + 1 {
					v := 1.0
					if j < in {
						v = inputs[i][j]
					}
					sums[i][o*(in+1)+j] += t * v * v / float64(batch)
				}
			}
			if i > 0 {
				d, e = below(d, e, weights[i], slopes[i-1], i < depth-1)
			}
		}
	}
	all := make([]layerDiagonal, depth)
	for i, sum := range sums {
		for row := range slices.Chunk(sum, len(sum)/len(biases[i])) {
			for _, v := range row[:len(row)-1] {
				all[i].weights = append(all[i].weights, float32(v))
			}
			all[i].biases = append(all[i].biases, float32(row[len(row)-1]))
		}
	}
	return all
}

// below takes D and e of [maskless] through weights [out, in] and the slopes of what is below
// them, those of D only where masked.
func below(d [][]float64, e []float64, weights []float32, slopes []float64, masked bool) ([][]float64, []float64) {
	in := len(slopes)
	lower, lowerE := make([][]float64, in), make([]float64, in)
	for a := range in {
		lower[a] = make([]float64, in)
		for o, row := range d {
			w := float64(weights[o*in+a])
			lowerE[a] += slopes[a] * w * e[o]
			for q, v := range row {
				for b := range in {
					lower[a][b] += w * v * float64(weights[q*in+b])
				}
			}
		}
		for b := range in {
			if masked {
				lower[a][b] *= slopes[a] * slopes[b]
			}
		}
	}
	return lower, lowerE
}
