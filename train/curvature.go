package train

import (
	"context"
	"fmt"

	"diaghess/gpu"
	"diaghess/layers"
	"diaghess/optim/curvature"
	"diaghess/train/data"
	"diaghess/train/record"
)

// CurvatureCheck compares estimates of the curvature's diagonal with the exact one, see
// curvature.Comparison: for a job's network with its initial weights or after some
// training, on batches of training pictures.
type CurvatureCheck struct {
	record.Job        // the network, and the training before
	Data       string // folder of the datasets, see data.Dir
	Steps      int    // of that training, of a run of the job's length
	Batches    int    // that the curvature is estimated on
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

// Validate says what is wrong with the check.
func (c *CurvatureCheck) Validate() error {
	if err := Validate(c.Job); err != nil {
		return err
	}
	switch {
	case c.Steps < 0:
		return fmt.Errorf("%d steps of training: give at least 0", c.Steps)
	case c.Batches < 1:
		return fmt.Errorf("%d batches: give at least 1", c.Batches)
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
	set, err := data.Load(ctx, c.Data, c.Dataset)
	if err != nil {
		return nil, err
	}
	parts, err := split(c.Settings, set.Name, set.Train.Len(), set.Test.Len())
	if err != nil {
		return nil, err
	}
	if needed := c.Batches * c.Batch; needed > len(parts.train) {
		return nil, fmt.Errorf("%d batches of %d pictures: %s has %d training pictures", c.Batches, c.Batch, c.Dataset, len(parts.train))
	}
	// The order of an epoch that no run has, so that it is not that of the training before.
	order := epochOrder(parts.train, uint64(c.Seed), c.Epochs)
	var batches []curvature.HostBatch
	for i := range c.Batches {
		batches = append(batches, hostBatch(set, order[i*c.Batch:(i+1)*c.Batch]))
	}
	comparison := c.comparison(batches)
	comparison.Input = layers.Shape{Height: set.Height, Width: set.Width, Channels: set.Channels}
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

// hostBatch makes a batch of training pictures as kernels.Gather does.
func hostBatch(set *data.Set, pictures []uint32) (b curvature.HostBatch) {
	size := set.PictureSize()
	for _, p := range pictures {
		for _, v := range set.Train.Images[int(p)*size:][:size] {
			b.X = append(b.X, float32(v)/set.Divisor)
		}
		b.Labels = append(b.Labels, int32(set.Train.Labels[p]))
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
		if c.Steps > t.config.Steps {
			return fmt.Errorf("%d steps of training, but %d epochs have %d: give more --epochs", c.Steps, c.Epochs, t.config.Steps)
		}
		for t.Step < c.Steps {
			if err := ctx.Err(); err != nil {
				return err
			}
			order := epochOrder(t.parts.train, uint64(c.Seed), t.Epoch)
			if err := t.training.begin(order, t.Step, t.Epoch); err != nil {
				return err
			}
			for t.Batch = 0; t.Batch < t.training.batches() && t.Step < c.Steps; {
				if err := t.trainSteps(1, Silent{}); err != nil {
					return err
				}
			}
			if err := t.checkLosses(); err != nil {
				return fmt.Errorf("training before the check, at step %d: %w", t.Step, err)
			}
			t.Epoch++
		}
		values, moving = make([]float32, t.network.Values.Len()), make([]float32, t.network.Moving.Len())
		if err := gpu.Download(stream, values, t.network.Values); err != nil {
			return err
		}
		return gpu.Download(stream, moving, t.network.Moving)
	})
	return values, moving, err
}
