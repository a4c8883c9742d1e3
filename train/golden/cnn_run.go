package golden

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/layers"
	"diaghess/optim"
)

// cnnConfig is the config of the kinds cnn and cnn_full.
type cnnConfig struct {
	Image          [3]int           `json:"image"` // height, width, channels
	Filters        []int            `json:"filters"`
	Dense          int              `json:"dense"`
	Classes        int              `json:"classes"`
	Batch          int              `json:"batch"`
	Steps          []int            `json:"steps"` // after which results are kept
	Optimizers     []string         `json:"optimizers"`
	Hyper          map[string]hyper `json:"hyper"`
	TrainableOrder []string         `json:"trainable_order"`
}

// cnnInput is what a network of a case starts from and is fed.
type cnnInput struct {
	parameters map[string][]float32
	statistics map[string][]float32
	x          [][]float32 // [batches], pixel values in [0, 1]
	labels     [][]int32   // [batches]
	masks      [][][]uint8 // [batches][dropout layers], nil without dropout
}

// readCNNInput reads the arrays of kind cnn.
func readCNNInput(c *Case) *cnnInput {
	in := &cnnInput{parameters: map[string][]float32{}, statistics: map[string][]float32{}}
	for _, name := range c.Names("init/") {
		in.parameters[name] = must(Read[float32](c, "init/"+name)).Values
	}
	for _, name := range c.Names("mov0/") {
		in.statistics[name] = must(Read[float32](c, "mov0/"+name)).Values
	}
	images, labels := must(Read[uint8](c, "images")), must(Read[int32](c, "labels"))
	for batch := range images.Shape[0] {
		in.x = append(in.x, pixels(images.At(batch)))
		in.labels = append(in.labels, labels.At(batch))
	}
	if layers := c.Names("masks/"); len(layers) > 0 {
		in.masks = make([][][]uint8, len(in.x))
		for layer := range layers {
			mask := must(Read[uint8](c, fmt.Sprintf("masks/%d", layer+1)))
			for batch := range in.masks {
				in.masks[batch] = append(in.masks[batch], mask.At(batch))
			}
		}
	}
	return in
}

// pixels are bytes as the network sees them.
func pixels(bytes []uint8) []float32 {
	x := make([]float32, len(bytes))
	for i, b := range bytes {
		x[i] = float32(b) / 255
	}
	return x
}

// cnnRun is a network of a case at work with one optimizer.
type cnnRun struct {
	stream    gpu.Stream
	in        *cnnInput
	network   *layers.Network
	batch     *layers.Batch
	optimizer *optim.Optimizer
	// training and inference are whole steps, which count in a metric.
	training, inference        gpu.Program
	trainMetrics, inferMetrics cnnMetrics
	normalizations             map[string]normalization // by layer: "bn1"
}

// normalization is what a layer of batch normalization found of a batch.
type normalization struct {
	mean, invStd gpu.Slice[float32]
	epsilon      float32
}

// cnnMetrics are the metrics of a pass, an element a batch.
type cnnMetrics struct {
	state   gpu.Slice[uint32]
	loss    gpu.Slice[float32]
	correct gpu.Slice[uint32]
}

// newCNN makes the network of a case, with the pilot's dropout rates or without
// dropout.
func newCNN(s gpu.Stream, config cnnConfig, dropout bool) *layers.Network {
	model := layers.PilotCNN()
	model.Filters, model.Dense = config.Filters, config.Dense
	if !dropout {
		model.BlockDropout, model.DenseDropout = 0, 0
	}
	const seed = 0 // of weights that the case's replace
	shape := layers.Shape{Height: config.Image[0], Width: config.Image[1], Channels: config.Image[2]}
	n := must(layers.New(s, shape, model.Layers(config.Classes), seed))
	var names []string
	for _, p := range n.Parameters {
		names = append(names, p.Name)
	}
	if !slices.Equal(names, config.TrainableOrder) {
		demand(fmt.Errorf("the network's parameters are %v, the case's %v", names, config.TrainableOrder))
	}
	return n
}

// newCNNRun makes the network and its programs, for a run of the given number of
// steps. The metrics of inference go on for as many batches as the input has
// after one for each step.
func newCNNRun(s gpu.Stream, config cnnConfig, in *cnnInput, rule optim.Rule, steps int) *cnnRun {
	n := newCNN(s, config, in.masks != nil)
	for _, p := range n.Parameters {
		uploadParameter(s, p, p.Value, in.parameters[p.Name])
	}
	for _, m := range n.Statistics {
		upload(s, m.Value, in.statistics[m.Name])
	}
	run := &cnnRun{stream: s, in: in, network: n, batch: must(n.Bind(config.Batch)), normalizations: map[string]normalization{}}
	run.optimizer = must(optim.New(s, rule, optim.TensorsOf(n), optim.Length{Steps: steps, StepsPerEpoch: steps}, gpu.Slice[float32]{}, false))

	run.trainMetrics = run.newMetrics(run.optimizer.State, steps)
	run.training = compile(s, func(r *gpu.Recorder) {
		run.batch.Forward(r, true)
		for _, op := range r.Ops() {
			layer := strings.TrimPrefix(op.Label, "forward/")
			switch k := op.Op.(type) {
			case *kernels.BatchNormFinish:
				run.normalizations[layer] = normalization{k.Mean, k.InvStd, k.Epsilon}
			case *kernels.ColumnsForward:
				run.normalizations[layer] = normalization{k.Mean, k.InvStd, k.Epsilon}
			}
		}
		run.batch.Loss(r, 0, true)
		run.batch.Backward(r, run.network.Gradients)
		run.measure(r, run.trainMetrics)
		demand(run.optimizer.Record(r))
		r.Record(&kernels.Advance{State: run.trainMetrics.state, Rows: uint32(config.Batch)})
	})
	run.inferMetrics = run.newMetrics(must(gpu.Alloc[uint32](s, kernels.StateWords)), steps+len(in.x))
	run.inference = compile(s, func(r *gpu.Recorder) {
		run.batch.Forward(r, false)
		run.batch.Loss(r, 0, false)
		run.measure(r, run.inferMetrics)
		r.Record(&kernels.Advance{State: run.inferMetrics.state, Rows: uint32(config.Batch)})
	})
	return run
}

func (run *cnnRun) newMetrics(state gpu.Slice[uint32], batches int) cnnMetrics {
	return cnnMetrics{
		state:   state,
		loss:    must(gpu.Alloc[float32](run.stream, batches)),
		correct: must(gpu.Alloc[uint32](run.stream, batches)),
	}
}

func (run *cnnRun) measure(r *gpu.Recorder, m cnnMetrics) {
	classes := run.network.Classes
	r.Record(&kernels.BatchMetrics{
		RowLoss: run.batch.RowLoss, Prediction: run.batch.Prediction, Labels: run.batch.Labels,
		State: m.state, Loss: m.loss, Correct: m.correct,
		Confusion: must(gpu.Alloc[uint32](run.stream, classes*classes)),
		Rows:      int32(run.batch.Size), Classes: int32(classes),
	})
}

// feed uploads a batch of the input.
func (run *cnnRun) feed(batch int) {
	upload(run.stream, run.batch.X, run.in.x[batch])
	upload(run.stream, run.batch.Labels, run.in.labels[batch])
	if run.in.masks == nil {
		return
	}
	mask, at := make([]uint8, run.batch.Mask.Len()), 0
	for _, layer := range run.in.masks[batch] {
		copy(mask[at:], layer)
		at += (len(layer) + kernels.TensorAlignment - 1) / kernels.TensorAlignment * kernels.TensorAlignment
	}
	if at != len(mask) {
		demand(fmt.Errorf("the case's masks have %d elements with their gaps, the network's %d", at, len(mask)))
	}
	upload(run.stream, run.batch.Mask, mask)
}

// train does a step on a batch.
func (run *cnnRun) train(batch int) {
	run.feed(batch)
	runProgram(run.stream, run.training)
}

// infer runs the batch that was fed last and returns, for each row, the gap
// between its two largest logits.
func (run *cnnRun) infer() []float32 {
	runProgram(run.stream, run.inference)
	logits := download(run.stream, run.batch.Logits)
	var gaps []float32
	for row := range slices.Chunk(logits, run.network.Classes) {
		slices.Sort(row)
		gaps = append(gaps, row[len(row)-1]-row[len(row)-2])
	}
	return gaps
}

// edge is how near the last training step came to another decision: the least
// input of LeakyReLU, in magnitude, and the least distance between the two
// largest of a window, as normalized. An input is seen from the output, whose
// mask must not drop it.
func (run *cnnRun) edge() float32 {
	s := run.stream
	nearest := math.Inf(1)
	inputs := func(a gpu.Slice[float32], slope float32) {
		for _, v := range download(s, a) {
			if distance := float64(v); slope != 1 && distance > 0 {
				nearest = min(nearest, distance)
			} else if slope != 1 {
				nearest = min(nearest, -distance/float64(slope))
			}
		}
	}
	for _, op := range run.training.Ops() {
		switch k := op.Op.(type) {
		case *kernels.EpilogueForward:
			inputs(k.A, k.Slope)
		case *kernels.ColumnsForward:
			inputs(k.A, k.Slope)
		case *kernels.EpiloguePoolForward:
			inputs(k.A, k.Slope)
			y, scale := download(s, k.Y), download(s, k.Scale)
			height, width, channels := int(k.Height), int(k.Width), int(k.Channels)
			for picture := range int(k.Pictures) {
				for i := range (height + 1) / 2 * ((width + 1) / 2) * channels {
					row, column, c := 2*(i/channels/((width+1)/2)), 2*(i/channels%((width+1)/2)), i%channels
					var window []float64
					for h := row; h < min(row+2, height); h++ {
						for w := column; w < min(column+2, width); w++ {
							window = append(window, float64(y[((picture*height+h)*width+w)*channels+c])*float64(scale[c]))
						}
					}
					slices.Sort(window)
					if n := len(window); n > 1 {
						nearest = min(nearest, window[n-1]-window[n-2])
					}
				}
			}
		}
	}
	return float32(nearest)
}

// first adds the results of the first step.
func (run *cnnRun) first(r results) {
	s := run.stream
	r["loss1"] = download(s, run.trainMetrics.loss)[:1]
	r["logits1"] = download(s, run.batch.Logits)
	for _, p := range run.network.Parameters {
		r["grad1/"+p.Name] = downloadParameter(s, p, p.Gradient)
	}
	for layer, n := range run.normalizations {
		number := strings.TrimPrefix(layer, "bn")
		r["bnmean1/"+number] = download(s, n.mean)
		variance := download(s, n.invStd)
		for i, v := range variance {
			variance[i] = float32(1/(float64(v)*float64(v)) - float64(n.epsilon))
		}
		r["bnvar1/"+number] = variance
	}
}

// tensors adds parameters and moving statistics under a prefix.
func (run *cnnRun) tensors(r results, prefix string) {
	for _, p := range run.network.Parameters {
		r[prefix+p.Name] = downloadParameter(run.stream, p, p.Value)
	}
	for _, m := range run.network.Statistics {
		r[prefix+m.Name] = download(run.stream, m.Value)
	}
}

// trainCNN runs a case of kind cnn with one of its optimizers and adds the
// results to r. Beside those of the case these are OPT/gaps and OPT/evalgaps,
// see infer, OPT/edges, see edge, OPT/norms, the norm of the whole gradient at each step, and
// OPT/stepN/gradient/T, the largest entry of T's gradient so far.
func trainCNN(s gpu.Stream, config cnnConfig, in *cnnInput, name string, r results) {
	rule := config.Hyper[name].rule(name)
	steps := slices.Max(config.Steps)
	run := newCNNRun(s, config, in, rule, steps)
	largest := map[string]float64{}
	for step := 1; step <= steps; step++ {
		run.train(step - 1)
		r[name+"/edges"] = append(r[name+"/edges"], run.edge())
		if step == 1 {
			run.first(r)
		}
		prefix := fmt.Sprintf("%s/step%d/", name, step)
		var squares float64
		for _, p := range run.network.Parameters {
			gradient := downloadParameter(s, p, p.Gradient)
			for _, g := range gradient {
				squares += float64(g) * float64(g)
			}
			largest[p.Name] = max(largest[p.Name], largestOf(gradient))
			r[prefix+"gradient/"+p.Name] = []float32{float32(largest[p.Name])}
		}
		r[name+"/norms"] = append(r[name+"/norms"], float32(math.Sqrt(squares)))
		r[name+"/gaps"] = append(r[name+"/gaps"], run.infer()...)
		if !slices.Contains(config.Steps, step) {
			continue
		}
		run.tensors(r, prefix)
		for _, slot := range rule.Slots() {
			for _, p := range run.network.Parameters {
				r[prefix+slot+"/"+p.Name] = downloadParameter(s, p, p.In(run.optimizer.Slot(slot)))
			}
		}
	}
	for batch := range in.x {
		run.feed(batch)
		r[name+"/evalgaps"] = append(r[name+"/evalgaps"], run.infer()...)
	}
	r[name+"/loss"] = download(s, run.trainMetrics.loss)
	accuracy := make([]float32, steps)
	var loss, right float64
	losses := download(s, run.inferMetrics.loss)
	for i, correct := range download(s, run.inferMetrics.correct) {
		if i < steps {
			accuracy[i] = float32(correct) / float32(config.Batch)
			continue
		}
		loss += float64(losses[i])
		right += float64(correct)
	}
	r[name+"/acc"] = accuracy
	batches := float64(len(in.x))
	r[name+"/eval"] = []float32{float32(loss / batches), float32(right / (batches * float64(config.Batch)))}
}
