package train

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	vectors "gonum.org/v1/gonum/floats"

	"diaghess/gpu"
	"diaghess/layers"
	"diaghess/layers/exact"
	"diaghess/optim/curvature"
	"diaghess/train/data"
)

// CurvatureCheck compares estimates of the curvature diagonal with the exact diagonal. The
// network has its initial weights, or has been trained before. The estimates are made on
// batches of training pictures, with dropout and with the batch's own statistics.
type CurvatureCheck struct {
	Job                 // the network, and the training before
	Data       string   // folder of the datasets, see data.Dir
	Steps      int      // of that training, of a run of the job's length
	Batches    int      // that the curvature is estimated on
	Estimators []string // see ParseEstimator; none for all that fit the network
	// ReferenceDraws is the number of samples of gnb, at least 2, whose mean is the
	// reference if the exact diagonal takes too long.
	ReferenceDraws int
	// ExactWork is the most multiply-adds, counted as those of forward passes, for
	// which a reference is exact. See DefaultExactWork.
	ExactWork float64
	Repeats   int // of the measurement of time
}

// DefaultExactWork takes about a minute on two cores.
const DefaultExactWork = 2e10

// The matrices whose diagonal a reference is.
const (
	GaussNewton = "gauss-newton"
	Hessian     = "hessian"
)

// CurvatureReport has the results of a CurvatureCheck.
type CurvatureReport struct {
	Model      string `json:"model"`
	Dataset    string `json:"dataset"`
	Seed       int    `json:"seed"`
	Optimizer  string `json:"optimizer,omitempty"` // that trained, if it did
	Steps      int    `json:"steps"`
	Batch      int    `json:"batch"`
	Batches    int    `json:"batches"`
	Parameters int    `json:"parameters"`
	// References are that of the Gauss-Newton matrix and, for estimators of the Hessian
	// where it is another matrix and not too much work, that of the Hessian.
	References []Reference       `json:"references"`
	Estimators []EstimatorReport `json:"estimators"`
}

// Reference is the diagonal that estimates are compared with.
type Reference struct {
	Matrix string `json:"matrix"`
	// Draws is 0 for the exact diagonal in float64. Otherwise the reference is the mean of
	// so many samples of gnb.
	Draws int `json:"gnb_draws"`
	// Noise is the relative error of a reference that is a mean of samples. A smaller
	// error of an estimate cannot be seen.
	Noise float64 `json:"noise"`

	diagonals [][]float64 // of each batch, in the order of exact.Network.Values
}

// EstimatorReport has the results of one estimator.
type EstimatorReport struct {
	Estimator string `json:"estimator"`
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

// ParseEstimator reads an estimator, "kind" or "kind:key=value,...". The key samples is
// the number of samples whose mean is an estimate. abs=true chooses AdaHessian's form of
// hutchinson. There is no average over steps. An unknown kind or key is an error.
func ParseEstimator(spec string) (curvature.Options, error) {
	kind, settings, has := strings.Cut(spec, ":")
	o := curvature.Options{Kind: kind, Every: 1, Samples: 1}
	if kind == curvature.None {
		return o, fmt.Errorf("estimator %s estimates nothing", kind)
	}
	if has {
		for setting := range strings.SplitSeq(settings, ",") {
			key, value, _ := strings.Cut(setting, "=")
			var err error
			switch key {
			case "samples":
				o.Samples, err = strconv.Atoi(value)
			case "abs":
				o.Absolute, err = strconv.ParseBool(value)
			default:
				err = fmt.Errorf("unknown key %q (known: samples, abs)", key)
			}
			if err != nil {
				return o, fmt.Errorf("estimator %s: %w", spec, err)
			}
		}
	}
	return o, o.Validate()
}

// Validate says what is wrong with the check.
func (c *CurvatureCheck) Validate() error {
	if err := c.Job.Validate(); err != nil {
		return err
	}
	for _, spec := range c.Estimators {
		if _, err := ParseEstimator(spec); err != nil {
			return err
		}
	}
	switch {
	case c.Steps < 0:
		return fmt.Errorf("%d steps of training: give at least 0", c.Steps)
	case c.Batches < 1:
		return fmt.Errorf("%d batches: give at least 1", c.Batches)
	case c.ReferenceDraws < 2:
		return fmt.Errorf("a reference of %d draws: give at least 2", c.ReferenceDraws)
	case c.Repeats < 1:
		return fmt.Errorf("%d repeats: give at least 1", c.Repeats)
	}
	return nil
}

// curvatureRun is a check on its way.
type curvatureRun struct {
	*CurvatureCheck
	device  gpu.Device
	set     *resident
	chain   []layers.Layer
	order   []uint32 // the pictures of the batches
	weights *weights // nil for the initial ones
}

// weights are a network's arenas on the host.
type weights struct{ values, moving []float32 }

// Run does the check on a device.
func (c *CurvatureCheck) Run(ctx context.Context, device gpu.Device) (report *CurvatureReport, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	pictures, err := data.Load(ctx, c.Data, c.Dataset)
	if err != nil {
		return nil, err
	}
	owner, err := device.NewStream()
	if err != nil {
		return nil, err
	}
	defer closing(owner, &err)
	r := &curvatureRun{CurvatureCheck: c, device: device}
	if r.set, err = makeResident(owner, pictures); err != nil {
		return nil, err
	}
	if r.chain, err = layers.Model(c.Model, r.set.classes); err != nil {
		return nil, err
	}
	parts, err := split(c.Settings, r.set.name, r.set.train.pictures, r.set.test.pictures)
	if err != nil {
		return nil, err
	}
	if needed := c.Batches * c.Batch; needed > len(parts.train) {
		return nil, fmt.Errorf("%d batches of %d pictures: %s has %d training pictures", c.Batches, c.Batch, c.Dataset, len(parts.train))
	}
	// The order of an epoch that no run has, so that it is not that of the training before.
	r.order = epochOrder(parts.train, uint64(c.Seed), c.Epochs)[:c.Batches*c.Batch]
	if c.Steps > 0 {
		if err := r.train(ctx); err != nil {
			return nil, err
		}
	}
	return r.report(ctx)
}

// train does the training before, and keeps its weights.
func (r *curvatureRun) train(ctx context.Context) error {
	return withStream(r.device, func(stream gpu.Stream) error {
		t, err := newRunner(stream, r.set, r.Job, record{})
		if err != nil {
			return err
		}
		if r.Steps > t.config.Steps {
			return fmt.Errorf("%d steps of training, but %d epochs have %d: give more --epochs", r.Steps, r.Epochs, t.config.Steps)
		}
		for t.Step < r.Steps {
			if err := ctx.Err(); err != nil {
				return err
			}
			order := epochOrder(t.parts.train, uint64(r.Seed), t.Epoch)
			if err := t.training.begin(order, t.Step, t.Epoch); err != nil {
				return err
			}
			for t.Batch = 0; t.Batch < t.training.batches() && t.Step < r.Steps; {
				if err := t.trainSteps(1, silent{}); err != nil {
					return err
				}
			}
			if err := t.checkLosses(); err != nil {
				return fmt.Errorf("training before the check, at step %d: %w", t.Step, err)
			}
			t.Epoch++
		}
		r.weights = &weights{make([]float32, t.network.Values.Len()), make([]float32, t.network.Moving.Len())}
		if err := gpu.Download(stream, r.weights.values, t.network.Values); err != nil {
			return err
		}
		return gpu.Download(stream, r.weights.moving, t.network.Moving)
	})
}

// estimators returns what is asked for, or all that fit the network.
func (r *curvatureRun) estimators() []string {
	if len(r.Estimators) > 0 {
		return r.Estimators
	}
	return slices.DeleteFunc(curvature.Kinds(), func(kind string) bool {
		return kind == curvature.None || kind == "ggn-exact" && (normalizes(r.chain) || convolves(r.chain))
	})
}

// report makes the references and compares the estimators with them.
func (r *curvatureRun) report(ctx context.Context) (*CurvatureReport, error) {
	report := &CurvatureReport{
		Model: r.Model, Dataset: r.Dataset, Seed: r.Seed, Steps: r.Steps, Batch: r.Batch, Batches: r.Batches,
	}
	if r.Steps > 0 {
		report.Optimizer = r.Optimizer
	}
	estimators := r.estimators()
	ofHessian := slices.ContainsFunc(estimators, estimatesHessian)
	var plain int64 // memory without an estimator
	err := withStream(r.device, func(stream gpu.Stream) error {
		before := r.device.Allocated()
		p, err := r.probe(stream, curvature.Options{Kind: curvature.None}, 0)
		if err != nil {
			return err
		}
		plain = r.device.Allocated() - before
		report.Parameters = p.network.Trainable()
		report.References, err = r.exactReferences(ctx, p, ofHessian)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(report.References) == 0 {
		reference, err := r.drawnReference(ctx)
		if err != nil {
			return nil, err
		}
		report.References = []Reference{reference}
	}
	for _, spec := range estimators {
		reference := report.References[0]
		if last := report.References[len(report.References)-1]; estimatesHessian(spec) {
			reference = last
		}
		e, err := r.estimator(ctx, spec, reference)
		if err != nil {
			return nil, fmt.Errorf("estimator %s: %w", spec, err)
		}
		e.Memory -= plain
		report.Estimators = append(report.Estimators, e)
	}
	return report, nil
}

// estimatesHessian says whether an estimator is of the Hessian.
func estimatesHessian(spec string) bool {
	return strings.HasPrefix(spec, "hutchinson")
}

// estimator measures one.
func (r *curvatureRun) estimator(ctx context.Context, spec string, reference Reference) (EstimatorReport, error) {
	e := EstimatorReport{Estimator: spec, Reference: reference.Matrix}
	o, err := ParseEstimator(spec)
	if err != nil {
		return e, err
	}
	err = withStream(r.device, func(stream gpu.Stream) error {
		before := r.device.Allocated()
		p, err := r.probe(stream, o, uint64(r.Seed))
		if err != nil {
			return err
		}
		e.Memory = r.device.Allocated() - before
		estimates, err := p.estimates(ctx, r.Batches)
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
		e.Backward, e.Estimate, err = p.times(r.Repeats)
		return err
	})
	return e, err
}

// exactReferences returns the exact diagonals as far as the work allows: none, that of
// the Gauss-Newton matrix, or that and the Hessian's. Without batch normalization the
// networks are piecewise linear, and both are the same.
func (r *curvatureRun) exactReferences(ctx context.Context, p *probe, hessian bool) ([]Reference, error) {
	work := multiplyAdds(r.set.input, r.chain) * float64(r.Batches*r.Batch)
	gaussNewtonWork := work * float64(r.set.classes)
	normalized := normalizes(r.chain)
	if normalized { // a backward pass of the batch for each row and class
		gaussNewtonWork *= float64(r.Batch)
	}
	if gaussNewtonWork > r.ExactWork {
		return nil, nil
	}
	references := []Reference{{Matrix: GaussNewton}}
	if hessian && normalized && work*float64(p.network.Trainable()) <= r.ExactWork {
		references = append(references, Reference{Matrix: Hessian})
	}
	twin, err := exact.New(r.set.input, r.chain)
	if err != nil {
		return nil, err
	}
	if err := twin.Load(p.network); err != nil {
		return nil, err
	}
	err = p.each(ctx, r.Batches, func() error {
		batch, err := p.exactBatch(twin, r.LabelSmoothing)
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
func (r *curvatureRun) drawnReference(ctx context.Context) (Reference, error) {
	var halves [2][][]float64
	o := curvature.Options{Kind: "gnb", Every: 1, Samples: r.ReferenceDraws / 2}
	for i := range halves {
		err := withStream(r.device, func(stream gpu.Stream) error {
			p, err := r.probe(stream, o, uint64(r.Seed)+uint64(i)+1)
			if err == nil {
				halves[i], err = p.estimates(ctx, r.Batches)
			}
			return err
		})
		if err != nil {
			return Reference{}, fmt.Errorf("reference of %d draws: %w", r.ReferenceDraws, err)
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
func normalizes(chain []layers.Layer) bool {
	return slices.ContainsFunc(chain, func(l layers.Layer) bool {
		e, ok := l.(layers.Epilogue)
		return ok && e.BatchNorm
	})
}

// convolves says whether there are convolutions.
func convolves(chain []layers.Layer) bool {
	return slices.ContainsFunc(chain, func(l layers.Layer) bool {
		_, ok := l.(layers.Conv)
		return ok
	})
}

// multiplyAdds returns those of a forward pass of a row.
func multiplyAdds(shape layers.Shape, chain []layers.Layer) float64 {
	sum := 0
	for _, l := range chain {
		switch l := l.(type) {
		case layers.Conv:
			sum += shape.Elements() * l.Kernel * l.Kernel * l.Filters
			shape.Channels = l.Filters
		case layers.Dense:
			sum += shape.Elements() * l.Units
			shape = layers.Shape{Height: 1, Width: 1, Channels: l.Units, Flat: true}
		case layers.Epilogue:
			if l.Pool {
				shape.Height, shape.Width = shape.Height/2, shape.Width/2
			}
		}
	}
	return float64(sum)
}
