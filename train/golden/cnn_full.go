package golden

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/layers"
)

// fullConfig is the config of kind cnn_full.
type fullConfig struct {
	cnnConfig
	Seed int `json:"seed"`
}

// splitMix is the generator of the cases whose input is a formula: the output
// function of splitmix64 (Steele, Lea and Flood 2014) of a seed, a stream k and
// an index i.
func splitMix(seed, k, i int) uint64 {
	z := uint64(seed)<<48 + uint64(k)<<32 + uint64(i) + 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// Streams of splitMix; a tensor's is its place among the trainable ones.
const (
	imageStream = 1000
	labelStream = 1001
)

// formulaInput makes the input of kind cnn_full: kernels from U(-l, l), l =
// sqrt(6/(fan in + fan out)) with every tap of a convolution counted, gamma and
// moving variance 1, the rest 0.
func formulaInput(config fullConfig) *cnnInput {
	stream := must(must(cpu.New(cpu.Options{})).NewStream()) // for the shapes alone
	defer stream.Close()
	n := newCNN(stream, config.cnnConfig, false)
	in := &cnnInput{parameters: map[string][]float32{}, statistics: map[string][]float32{}}
	for k, p := range n.Parameters {
		values := make([]float32, p.Elements())
		switch {
		case strings.HasSuffix(p.Name, "/kernel"):
			rank := len(p.Shape)
			fans := p.Elements() / (p.Shape[rank-2] * p.Shape[rank-1]) * (p.Shape[rank-2] + p.Shape[rank-1])
			limit := float64(float32(math.Sqrt(6 / float64(fans))))
			for i := range values {
				u := float64(splitMix(config.Seed, k, i)>>40) / (1 << 24)
				values[i] = float32((2*u - 1) * limit)
			}
		case strings.HasSuffix(p.Name, "/gamma"):
			fill(values, 1)
		}
		in.parameters[p.Name] = values
	}
	for _, m := range n.Statistics {
		values := make([]float32, m.Value.Len())
		if strings.HasSuffix(m.Name, "/moving_variance") {
			fill(values, 1)
		}
		in.statistics[m.Name] = values
	}
	pixelsOfBatch := config.Batch * config.Image[0] * config.Image[1] * config.Image[2]
	for batch := range slices.Max(config.Steps) {
		image, labels := make([]uint8, pixelsOfBatch), make([]int32, config.Batch)
		for i := range image {
			image[i] = uint8(splitMix(config.Seed, imageStream, batch*pixelsOfBatch+i) >> 56)
		}
		for i := range labels {
			labels[i] = int32(splitMix(config.Seed, labelStream, batch*config.Batch+i) % uint64(config.Classes))
		}
		in.x = append(in.x, pixels(image))
		in.labels = append(in.labels, labels)
	}
	return in
}

func fill(values []float32, v float32) {
	for i := range values {
		values[i] = v
	}
}

// summarize adds what a case keeps of a large tensor: elements at floor(j n/24),
// and norm, sum and largest magnitude.
func (r results) summarize(name string, values []float32) {
	sample := make([]float32, 24)
	for j := range sample {
		sample[j] = values[j*len(values)/len(sample)]
	}
	r[name+"/sample"] = sample
	var squares, sum float64
	for _, v := range values {
		squares += float64(v) * float64(v)
		sum += float64(v)
	}
	r[name+"/stats"] = []float32{float32(math.Sqrt(squares)), float32(sum), float32(largestOf(values))}
}

// trainFull does the case's first step with one of its optimizers and adds the results to r.
func trainFull(s gpu.Stream, config fullConfig, in *cnnInput, name string, r results) {
	run := newCNNRun(s, config.cnnConfig, in, config.Hyper[name].rule(name), 1)
	run.train(0)
	all := results{}
	run.first(all)
	run.tensors(all, name+"/step1/")
	for _, p := range run.network.Parameters {
		delta := slices.Clone(all[name+"/step1/"+p.Name])
		for i, before := range in.parameters[p.Name] {
			delta[i] -= before
		}
		all[name+"/delta1/"+p.Name] = delta
	}
	for array, values := range all {
		r.summarize(array, values)
	}
	r["loss1"] = all["loss1"]
}

// fullTrajectories compare the real network with the pilot's TensorFlow program
// in what can be compared. Of the 10^7 decisions of LeakyReLU and max pooling in
// a batch some fall otherwise under another rounding, so the glossary of the case
// tells how far two right programs, the original with and without oneDNN, are
// from each other, in shares of a tensor's largest magnitude: that is one pair of
// a scatter, and three times of it is the tolerance for another. The medians
// over all samples are the sharper numbers. Further:
//
//   - a gradient's difference d, as a vector, is at most as many times the
//     original's from the float64 twin (in checks, relative to the norm) as the
//     manifest allows, 21; no element is larger, which tells near the head of
//     the network, and the sum of elements is at most sqrt(n) |d|;
//   - forward no decision matters, LeakyReLU and maximum being continuous. A sum
//     over N rows in float32 is off by the order of sqrt(N) 2^-24 of their
//     deviation: so much for batch means, N of the first layer for all since
//     later ones inherit it, and twice that share for variances, of which the
//     moving statistics take 1 - momentum; once for each of two programs.
//
// Later steps begin with parameters that are scattered so; the small cases have
// those.
func fullTrajectories(c *Case) []*Trajectory {
	const pairs = 3 // see above
	spread := map[string]struct{ largest, median, norm float64 }{
		"grad1":         {1e-2, 1e-3, 2e-3},
		"custom/delta1": {7e-2, 9e-3, 7e-2},
		"adamw/delta1":  {1e-3, 1e-3, 1e-3},
	}
	config := configOf[fullConfig](c)
	in := formulaInput(config)
	compute := func(s gpu.Stream) results {
		r := results{}
		for _, name := range config.Optimizers {
			trainFull(s, config, in, name, r)
		}
		return r
	}
	return []*Trajectory{{Name: c.Name, Heavy: true, of: c, compute: compute, compare: func(k *comparison) {
		checkFormula(k, in)
		k.float32s("loss1", "loss1", "loss1", k.orUlp("loss1", 1e-6))
		for _, name := range config.Optimizers {
			checkMoving(k, config, name)
		}
		for array, limit := range spread {
			name, _, _ := strings.Cut(array, "/")
			if array != "grad1" && !slices.Contains(config.Optimizers, name) {
				continue
			}
			var differences []float64
			for _, tensor := range config.TrainableOrder {
				full := array + "/" + tensor
				sample, stats := must(Read[float32](c, full+"/sample")).Values, must(Read[float64](c, full+"/stats")).Values
				norm, largest := stats[0], stats[2]
				n := float64(len(in.parameters[tensor]))
				element, sum := pairs*limit.largest*largest, math.Sqrt(n)*norm
				if array == "grad1" {
					vector := 21 * must(c.Check("grad1_rel_l2_diff_vs_float64", tensor)) * norm
					element, sum = min(element, vector), math.Sqrt(n)*vector
				}
				k.float32s(array, full+"/sample", full+"/sample", constant(element))
				k.float64s(array+" norm, sum, maximum", full+"/stats", full+"/stats", func(i int) float64 {
					return [...]float64{pairs * limit.norm * norm, sum, pairs * limit.largest * largest}[i]
				})
				for i, want := range sample {
					differences = append(differences, math.Abs(float64(k.r[full+"/sample"][i])-float64(want))/largest)
				}
				if array != "grad1" {
					step := name + "/step1/" + tensor + "/sample"
					k.float32s(name+" parameters", step, step, k.orUlp(step, element))
				}
			}
			slices.Sort(differences)
			median := differences[len(differences)/2]
			k.used[array+" median"] = median / (pairs * limit.median)
			if !(median <= pairs*limit.median) {
				k.errorf("%s: %s: half of the samples differ by more than %.3g of their tensor's maximum, tolerance %.3g",
					c.Name, array, median, pairs*limit.median)
			}
		}
	}}}
}

// checkFormula compares the input that was made by formula with what the case keeps of it.
func checkFormula(k *comparison, in *cnnInput) {
	for name, values := range in.parameters {
		array := "init/" + name
		k.r.summarize(array, values)
		k.bits("initial weights", array+"/sample", array+"/sample")
		norm := largestOf(values) * math.Sqrt(float64(len(values)))
		k.float64s("initial weights", array+"/stats", array+"/stats", constant(epsilon*norm)) // they are kept as float32 here
	}
	if first := pixels(must(Read[uint8](k.c, "images_first16")).Values); !slices.Equal(first, in.x[0][:16]) {
		k.errorf("%s: the first pixels by formula are %v, want %v", k.c.Name, in.x[0][:16], first)
	}
	if labels := must(Read[int32](k.c, "labels")).Values; !slices.Equal(labels, slices.Concat(in.labels...)) {
		k.errorf("%s: the labels by formula are %v, want %v", k.c.Name, slices.Concat(in.labels...), labels)
	}
}

// checkMoving compares the moving statistics after step 1.
func checkMoving(k *comparison, config fullConfig, name string) {
	const memory = 1 - layers.BatchNormMomentum
	rows := float64(config.Batch * config.Image[0] * config.Image[1])
	share := 2 * math.Sqrt(rows) * epsilon
	for layer := range 2*len(config.Filters) + 2 {
		prefix := fmt.Sprintf("%s/step1/bn%d/", name, layer+1)
		mean, variance := prefix+"moving_mean/sample", prefix+"moving_variance/sample"
		moving := must(Read[float32](k.c, variance)).Values
		// batch is the variance of the batch, the moving one having begun at 1.
		batch := func(i int) float64 { return (float64(moving[i]) - layers.BatchNormMomentum) / memory }
		k.float32s(name+" moving means", mean, mean, func(i int) float64 {
			return memory*share*math.Sqrt(batch(i)) + ulp(k.r[mean][i])
		})
		k.float32s(name+" moving variances", variance, variance, func(i int) float64 {
			return memory*2*share*batch(i) + ulp(moving[i])
		})
	}
}
