package curvature

import (
	"context"
	"fmt"
	"slices"
	"time"

	vectors "gonum.org/v1/gonum/floats"

	"diaghess/gpu"
	"diaghess/layers"
	"diaghess/layers/exact"
)

// Comparison compares estimates of the curvature diagonal with the exact diagonal, for a
// network with fixed weights on some batches. The network is in training mode: with dropout
// and, where it has that, normalization by the batch. Every estimate stands alone, without an
// average over steps.
type Comparison struct {
	Input layers.Shape
	Chain []layers.Layer
	// Seed is that of the initial weights, of dropout and of what the estimators draw.
	Seed uint64
	// Values and Moving are the weights, as Network.Values and Network.Moving hold them;
	// nil for the initial ones.
	Values, Moving []float32
	// Step is the number of steps that count as done before the first batch: what is
	// sampled depends on it.
	Step           int
	Batches        []HostBatch // all of one size
	LabelSmoothing float64
	Estimators     []Options // none for all that fit the network
	// ReferenceDraws is how many GNB draws the reference is the mean of where the exact
	// diagonal is too much work; at least 2.
	ReferenceDraws int
	// ExactWork is the most multiply-adds, counted as those of forward passes, for
	// which a reference is exact. See DefaultExactWork.
	ExactWork float64
	Repeats   int // of the measurement of time
}

// mostRepeats is more than a median of times has use for.
const mostRepeats = 100_000

// HostBatch is a batch in the host's memory.
type HostBatch struct {
	X      []float32 // [rows, height, width, channels]
	Labels []int32   // [rows]
}

// DefaultExactWork takes about a minute on two cores.
const DefaultExactWork = 2e10

// The matrices whose diagonal a reference is.
const (
	GaussNewton = "gauss-newton"
	Hessian     = "hessian"
)

// Accuracy is what a Comparison found.
type Accuracy struct {
	Batch      int `json:"batch"` // rows
	Batches    int `json:"batches"`
	Parameters int `json:"parameters"`
	// References are that of the Gauss-Newton matrix and, for estimators of the Hessian
	// where it is another matrix and not too much work, that of the Hessian.
	References []Reference         `json:"references"`
	Estimators []EstimatorAccuracy `json:"estimators"`
}

// Reference is what estimates are compared with.
type Reference struct {
	Matrix string `json:"matrix"`
	// Draws is 0 for the exact diagonal in float64, else how many GNB draws the
	// reference is the mean of.
	Draws int `json:"gnb_draws"`
	// Noise is the relative error of a reference of draws: no estimate can be seen to be
	// closer.
	Noise float64 `json:"noise"`

	diagonals [][]float64 // of each batch, in the order of exact.Network.Values
}

// EstimatorAccuracy is what one estimator did.
type EstimatorAccuracy struct {
	Estimator string `json:"estimator"` // see Options.String
	Reference string `json:"reference"` // the matrix
	// Estimate is the median time of an estimate, after a training step's backward pass,
	// and Backward that of the backward pass.
	Estimate time.Duration `json:"estimate_ns"`
	Backward time.Duration `json:"backward_ns"`
	Memory   int64         `json:"memory_bytes"` // that the estimator takes on the device
	// Tensors are the network's, All is of their entries together.
	Tensors     []Agreement      `json:"tensors"`
	All         Agreement        `json:"all"`
	Calibration []CalibrationBin `json:"calibration"`
}

// Validate says what is wrong with the comparison's numbers.
func (c *Comparison) Validate() error {
	switch {
	case len(c.Batches) < 1:
		return fmt.Errorf("%d batches: give at least 1", len(c.Batches))
	case c.ReferenceDraws < 2 || c.ReferenceDraws > 2*MostSamples:
		return fmt.Errorf("a reference of %d draws: give 2 to %d", c.ReferenceDraws, 2*MostSamples)
	case c.Repeats < 1 || c.Repeats > mostRepeats:
		return fmt.Errorf("%d repeats: give 1 to %d", c.Repeats, mostRepeats)
	}
	return nil
}

// Run makes the references and compares the estimators with them, on a device.
func (c *Comparison) Run(ctx context.Context, device gpu.Device) (*Accuracy, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	a := &Accuracy{Batch: len(c.Batches[0].Labels), Batches: len(c.Batches)}
	estimators := c.Estimators
	var plain int64 // memory without an estimator
	err := gpu.WithStream(device, func(stream gpu.Stream) error {
		before := device.Allocated()
		p, err := c.probe(stream, Options{Kind: None}, 0)
		if err != nil {
			return err
		}
		plain = device.Allocated() - before
		a.Parameters = p.network.Trainable()
		if len(estimators) == 0 {
			estimators = fitting(p.network)
		}
		a.References, err = c.exactReferences(ctx, p, slices.ContainsFunc(estimators, Options.OfHessian))
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(a.References) == 0 {
		reference, err := c.drawnReference(ctx, device)
		if err != nil {
			return nil, err
		}
		a.References = []Reference{reference}
	}
	for _, o := range estimators {
		reference := a.References[0]
		if o.OfHessian() {
			reference = a.References[len(a.References)-1]
		}
		e, err := c.estimator(ctx, device, o, reference)
		if err != nil {
			return nil, fmt.Errorf("estimator %s: %w", o, err)
		}
		e.Memory -= plain
		a.Estimators = append(a.Estimators, e)
	}
	return a, nil
}

// fitting returns the estimators that fit a network.
func fitting(n *layers.Network) []Options {
	var all []Options
	for _, k := range kinds() {
		if !k.perceptron || !normalizes(n) && !convolves(n) {
			all = append(all, Options{Kind: k.name, Every: 1, Samples: 1})
		}
	}
	return all
}

// estimator measures one.
func (c *Comparison) estimator(ctx context.Context, device gpu.Device, o Options, reference Reference) (EstimatorAccuracy, error) {
	e := EstimatorAccuracy{Estimator: o.String(), Reference: reference.Matrix}
	err := gpu.WithStream(device, func(stream gpu.Stream) error {
		before := device.Allocated()
		p, err := c.probe(stream, o, c.Seed)
		if err != nil {
			return err
		}
		e.Memory = device.Allocated() - before
		estimates, err := p.estimates(ctx)
		if err != nil {
			return err
		}
		at := 0
		for _, parameter := range p.network.Parameters {
			cut := func(vectors [][]float64) (parts [][]float64) {
				for _, v := range vectors {
					parts = append(parts, v[at:at+parameter.Elements()])
				}
				return parts
			}
			e.Tensors = append(e.Tensors, agree(parameter.Name, cut(estimates), cut(reference.diagonals)))
			at += parameter.Elements()
		}
		e.All = agree("all", estimates, reference.diagonals)
		e.Calibration = calibration(estimates, reference.diagonals)
		e.Backward, e.Estimate, err = p.times(ctx, c.Repeats)
		return err
	})
	return e, err
}

// exactReferences returns the exact diagonals as far as the work allows: none, that of
// the Gauss-Newton matrix, or that and the Hessian's. Without batch normalization the
// networks are piecewise linear, and both are the same.
func (c *Comparison) exactReferences(ctx context.Context, p *probe, hessian bool) ([]Reference, error) {
	work := multiplyAdds(p.batch) * float64(len(c.Batches))
	gaussNewtonWork := work * float64(p.network.Classes)
	normalized := normalizes(p.network)
	if normalized { // a backward pass of the batch for each row and class
		gaussNewtonWork *= float64(p.batch.Size)
	}
	if gaussNewtonWork > c.ExactWork {
		return nil, nil
	}
	references := []Reference{{Matrix: GaussNewton}}
	if hessian && normalized && work*float64(p.network.Trainable()) <= c.ExactWork {
		references = append(references, Reference{Matrix: Hessian})
	}
	twin, err := exact.New(c.Input, c.Chain)
	if err != nil {
		return nil, err
	}
	if err := twin.Load(p.network); err != nil {
		return nil, err
	}
	err = p.each(ctx, func(b HostBatch) error {
		batch, err := p.exactBatch(twin, b)
		if err != nil {
			return err
		}
		pass := twin.Forward(batch)
		for i := range references {
			diagonal := pass.GaussNewtonDiagonal
			if references[i].Matrix == Hessian {
				diagonal = pass.HessianDiagonal
			}
			d, err := diagonal(ctx)
			if err != nil {
				return err
			}
			references[i].diagonals = append(references[i].diagonals, d)
		}
		return nil
	})
	return references, err
}

// drawnReference is the mean of many GNB draws, in two halves that tell its noise. The
// seeds are not that of the estimators.
func (c *Comparison) drawnReference(ctx context.Context, device gpu.Device) (Reference, error) {
	var halves [2][][]float64
	o := Options{Kind: "gnb", Every: 1, Samples: c.ReferenceDraws / 2}
	for i := range halves {
		err := gpu.WithStream(device, func(stream gpu.Stream) error {
			p, err := c.probe(stream, o, c.Seed+uint64(i)+1)
			if err == nil {
				halves[i], err = p.estimates(ctx)
			}
			return err
		})
		if err != nil {
			return Reference{}, fmt.Errorf("reference of %d draws: %w", c.ReferenceDraws, err)
		}
	}
	reference := Reference{Matrix: GaussNewton, Draws: 2 * o.Samples, Noise: noise(halves[0], halves[1]), diagonals: halves[0]}
	for i, d := range reference.diagonals {
		vectors.Add(d, halves[1][i])
		vectors.Scale(0.5, d)
	}
	return reference, nil
}

// normalizes says whether batch normalization couples the rows of a batch.
func normalizes(n *layers.Network) bool { return len(n.Statistics) > 0 }

// convolves says whether there are convolutions.
func convolves(n *layers.Network) bool {
	return slices.ContainsFunc(n.Parameters, func(p *layers.Parameter) bool { return len(p.Shape) == 4 })
}

// multiplyAdds returns those of a batch's forward pass, in convolutions and dense layers.
func multiplyAdds(b *layers.Batch) float64 {
	var r gpu.Recorder
	b.Forward(&r, true)
	flops := int64(0)
	for _, op := range r.Ops() {
		if pass, ok := op.Op.(*gpu.ConvolutionPass); ok {
			flops += pass.Cost().Flops
		}
	}
	return float64(flops / 2)
}
