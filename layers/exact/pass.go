package exact

import (
	"fmt"
	"math"
)

// Batch is the input of a network.
type Batch struct {
	X         []float64 // [rows, height, width, channels]
	Labels    []int32   // [rows]
	Smoothing float64   // of the labels, in [0, 1]
	// Training normalizes with the batch's own statistics and applies the
	// masks; else the moving statistics normalize and nothing is dropped.
	Training bool
	// Masks are those of the layers with dropout, in order, 1 keeps and 0
	// drops; nil drops nothing.
	Masks [][]uint8
}

// BatchStatistics are the mean and the variance that a normalization found in a batch.
type BatchStatistics struct {
	Mean, Variance []float64 // [channels], the variance biased
	Rows           int       // that each was taken over
}

// Pass holds the results of a network for one batch and one setting of its parameters. It
// is invalid after the network's values change.
type Pass struct {
	Loss   float64   // mean over the rows
	Logits []float64 // [rows, classes]
	// Decisions are the kinks: for each LeakyReLU whether its input is
	// positive, for each pooling window which element is the largest. While
	// they stay the same, the loss is a smooth function of the parameters.
	Decisions []uint8
	// Margin is how far the closest decision is from falling the other way.
	Margin float64
	// Normalizations are the batch's statistics by the name of the layer,
	// where the batch's own normalize.
	Normalizations map[string]BatchStatistics

	network     *Network
	batch       Batch
	masks       int       // used so far
	probability []float64 // [rows, classes], softmax of the logits
	traces      []trace
}

// stage is a layer of a network.
type stage interface {
	// forward returns the output for an input and what derivatives need.
	forward(p *Pass, x []float64) (trace, []float64)
	tensors() []*Tensor
}

// trace is a layer of a pass. dout is the gradient of the loss by its output;
// z a direction in the space of parameters, rin and rdout the derivatives of
// input and dout along it. rin is nil where no layer before has a part in the
// direction. Gradients and directions have the layout of Network.Values.
type trace interface {
	// gradient adds the gradient by the layer's parameters.
	gradient(dout, gradient []float64)
	// backward returns the gradient by the input.
	backward(dout []float64) []float64
	// tangent returns the derivative of the output.
	tangent(z, rin []float64) []float64
	// tangentGradient adds the derivative of what gradient adds.
	tangentGradient(z, rin, dout, rdout, rgradient []float64)
	// tangentBackward returns the derivative of what backward returns.
	tangentBackward(z, rin, dout, rdout []float64) []float64
	// hesScale adds the diagonal by the layer's parameters, and returns that by
	// the input from that by the output: see Pass.HesScale. centred says that the
	// layer behind takes the mean of each channel out of this one's output.
	hesScale(dout, diagonal []float64, centred bool) []float64
	// centres says that the layer takes the mean of each channel out of its input.
	centres() bool
}

// Forward runs the network on a batch. It panics if a part of the batch does not have the
// network's length, or if a label is not a class.
func (n *Network) Forward(b Batch) *Pass {
	if rows := len(b.Labels); rows == 0 || len(b.X) != rows*n.Input.Elements() {
		panic(fmt.Sprintf("exact: %d labels and an input of %d elements, %d a row", rows, len(b.X), n.Input.Elements()))
	}
	p := &Pass{network: n, batch: b, Margin: math.Inf(1), Normalizations: map[string]BatchStatistics{}}
	x := b.X
	for _, s := range n.stages {
		var t trace
		t, x = s.forward(p, x)
		p.traces = append(p.traces, t)
	}
	if b.Training && b.Masks != nil && p.masks != len(b.Masks) {
		panic(fmt.Sprintf("exact: %d masks for %d layers with dropout", len(b.Masks), p.masks))
	}
	p.Logits = x
	p.Loss = p.crossEntropy()
	return p
}

func (p *Pass) decide(positive bool, margin float64) {
	winner := 0
	if positive {
		winner = 1
	}
	p.choose(winner, margin)
}

func (p *Pass) choose(winner int, margin float64) {
	p.Decisions = append(p.Decisions, uint8(winner))
	p.Margin = min(p.Margin, margin)
}

func (p *Pass) nextMask(elements int) []uint8 {
	if p.masks >= len(p.batch.Masks) || len(p.batch.Masks[p.masks]) != elements {
		panic(fmt.Sprintf("exact: layer %d with dropout has no mask of %d elements", p.masks+1, elements))
	}
	p.masks++
	return p.batch.Masks[p.masks-1]
}

func (p *Pass) rows() int { return len(p.batch.Labels) }

// target is the smoothed label's share in a class.
func (p *Pass) target(label int32, class int) float64 {
	t := p.batch.Smoothing / float64(p.network.Classes)
	if class == int(label) {
		t += 1 - p.batch.Smoothing
	}
	return t
}

// crossEntropy is the mean over the rows of -sum t log softmax(logits), with
// targets t.
func (p *Pass) crossEntropy() float64 {
	classes := p.network.Classes
	p.probability = make([]float64, len(p.Logits))
	loss := 0.0
	for row, label := range p.batch.Labels {
		if label < 0 || int(label) >= classes {
			panic(fmt.Sprintf("exact: row %d has label %d of %d classes", row, label, classes))
		}
		logits := p.Logits[row*classes:][:classes]
		largest := math.Inf(-1)
		for _, v := range logits {
			largest = max(largest, v)
		}
		sum := 0.0
		for _, v := range logits {
			sum += math.Exp(v - largest)
		}
		logSum := largest + math.Log(sum)
		for c, v := range logits {
			p.probability[row*classes+c] = math.Exp(v - logSum)
			loss -= p.target(label, c) * (v - logSum) / float64(p.rows())
		}
	}
	return loss
}

// lossGradient is the gradient of the loss by the logits for labels, (p - t) /
// rows.
func (p *Pass) lossGradient(labels []int32) []float64 {
	classes := p.network.Classes
	d := make([]float64, len(p.Logits))
	for row, label := range labels {
		for c := range classes {
			i := row*classes + c
			d[i] = (p.probability[i] - p.target(label, c)) / float64(p.rows())
		}
	}
	return d
}

// Gradient returns the gradient of the loss, with the layout of Network.Values.
func (p *Pass) Gradient() []float64 { return p.JacobianTransposed(p.lossGradient(p.batch.Labels)) }

// JacobianTransposed returns J^T u, with the layout of Network.Values. J is the Jacobian of
// all logits by the parameters, and u has the layout of Logits. If u is the gradient of a
// loss by the logits, the result is the gradient by the parameters. It panics if u has
// another length.
func (p *Pass) JacobianTransposed(u []float64) []float64 {
	gradient := make([]float64, len(p.network.Values))
	p.backward(u, func(t trace, dout []float64) { t.gradient(dout, gradient) })
	return gradient
}

// backward calls visit for each layer, from the last to the first, with what u by
// the logits is by its output.
func (p *Pass) backward(u []float64, visit func(t trace, dout []float64)) {
	if len(u) != len(p.Logits) {
		panic(fmt.Sprintf("exact: a vector of %d elements for %d logits", len(u), len(p.Logits)))
	}
	d := u
	for i := len(p.traces) - 1; i >= 0; i-- {
		visit(p.traces[i], d)
		if i > 0 {
			d = p.traces[i].backward(d)
		}
	}
}
