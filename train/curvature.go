package train

import (
	"context"
	"fmt"

	"diaghess/gpu"
	"diaghess/layers"
	"diaghess/optim"
	"diaghess/optim/curvature"
	"diaghess/train/data"
)

// CurvatureCheck compares estimates of the curvature's diagonal with the exact one, see
// curvature.Comparison: for a job's network with its initial weights or after some
// training, on batches of training pictures.
type CurvatureCheck struct {
	Job     // the network, and the training before
	Data    data.Shelf
	Steps   int // of that training, of a run of the job's length
	Batches int // that the curvature is estimated on
	// The others are as in curvature.Comparison.
	Estimators     []curvature.Options
	ReferenceDraws int
	ExactWork      float64
	Repeats        int
}

// CurvatureReport is what a CurvatureCheck found.
type CurvatureReport struct {
	Model     string `json:"model"`
	Dataset   string `json:"dataset"`
	Seed      int    `json:"seed"`
	Optimizer string `json:"optimizer,omitempty"` // that trained, if it did
	Steps     int    `json:"steps"`
	curvature.Accuracy
}

// mostBatches is more than any data set has batches of two pictures.
const mostBatches = 50_000

// Validate says what is wrong with the check.
func (c *CurvatureCheck) Validate() error {
	if err := ValidateSeed(c.Seed); err != nil {
		return err
	}
	set, err := c.Data.Describe(c.Dataset)
	if err != nil {
		return err
	}
	length, err := check(c.Settings, set, []optim.Rule{c.Rule})
	switch {
	case err != nil:
		return err
	case c.Steps > length.Steps:
		return fmt.Errorf("%d steps of training, but %d epochs have %d: give more --epochs", c.Steps, c.Epochs, length.Steps)
	case c.Steps < 0:
		return fmt.Errorf("%d steps of training: give at least 0", c.Steps)
	case c.Batches < 1 || c.Batches > mostBatches:
		return fmt.Errorf("%d batches: give 1 to %d", c.Batches, mostBatches)
	}
	return c.comparison(make([]curvature.HostBatch, c.Batches)).Validate()
}

func (c *CurvatureCheck) comparison(batches []curvature.HostBatch) *curvature.Comparison {
	return &curvature.Comparison{
		Seed: uint64(c.Seed), Step: c.Steps, Batches: batches, LabelSmoothing: c.LabelSmoothing,
		Estimators: c.Estimators, ReferenceDraws: c.ReferenceDraws, ExactWork: c.ExactWork, Repeats: c.Repeats,
	}
}

// Run does the check on a device.
func (c *CurvatureCheck) Run(ctx context.Context, device gpu.Device) (*CurvatureReport, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	set, err := Load(ctx, c.Data, c.Dataset)
	if err != nil {
		return nil, err
	}
	train, test := rowsOf(set, c.Seed)
	parts, err := split(c.Settings, set.Name, train, test)
	if err != nil {
		return nil, err
	}
	if needed := c.Batches * c.Batch; needed > len(parts.train) {
		return nil, fmt.Errorf("%d batches of %d rows: %s has %d for training: give fewer --batches, or a smaller --batch", c.Batches, c.Batch, c.Dataset, len(parts.train))
	}
	// The order of an epoch that no run has, so that it is not that of the training before.
	order := epochOrder(parts.train, uint64(c.Seed), c.Epochs)
	offset, factor := scalingOf(set, parts.train)
	var batches []curvature.HostBatch
	for i := range c.Batches {
		batches = append(batches, hostBatch(set, offset, factor, order[i*c.Batch:(i+1)*c.Batch]))
	}
	comparison := c.comparison(batches)
	comparison.Input = inputOf(set)
	if comparison.Chain, err = layers.Model(c.Model, set.Classes); err != nil {
		return nil, err
	}
	report := &CurvatureReport{Model: c.Model, Dataset: c.Dataset, Seed: c.Seed, Steps: c.Steps}
	if c.Steps > 0 {
		report.Optimizer = c.Optimizer
		if comparison.Values, comparison.Moving, err = c.train(ctx, device, set); err != nil {
			return nil, err
		}
	}
	accuracy, err := comparison.Run(ctx, device)
	if err != nil {
		return nil, err
	}
	report.Accuracy = *accuracy
	return report, nil
}

// hostBatch makes a batch of training rows as kernels.Gather and kernels.GatherValues do.
func hostBatch(set *data.Set, offset, factor []float32, rows []uint32) (b curvature.HostBatch) {
	size := set.Size()
	for _, row := range rows {
		for i := int(row) * size; i < int(row+1)*size; i++ {
			if set.Images != nil {
				b.X = append(b.X, float32(set.Images[i])/set.Divisor)
			} else {
				b.X = append(b.X, (set.Values[i]-offset[i%size])*factor[i%size])
			}
		}
		b.Labels = append(b.Labels, set.Labels[row])
	}
	return b
}

// train does the training before and returns the network's values and statistics.
func (c *CurvatureCheck) train(ctx context.Context, device gpu.Device, set *data.Set) (values, moving []float32, err error) {
	err = gpu.WithStream(device, func(stream gpu.Stream) error {
		resident, err := MakeResident(stream, set)
		if err != nil {
			return err
		}
		t, err := New(stream, resident, c.Job)
		if err != nil {
			return err
		}
		if err := t.Advance(ctx, c.Steps); err != nil {
			return fmt.Errorf("training before the check, at step %d: %w", t.Step, err)
		}
		values, moving = make([]float32, t.network.Values.Len()), make([]float32, t.network.Moving.Len())
		if err := gpu.Download(stream, values, t.network.Values); err != nil {
			return err
		}
		return gpu.Download(stream, moving, t.network.Moving)
	})
	return values, moving, err
}
