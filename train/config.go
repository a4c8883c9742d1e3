package train

import (
	"fmt"
	"math"
	"slices"

	"diaghess/gpu"
	"diaghess/layers"
	"diaghess/nearest"
	"diaghess/optim"
	"diaghess/train/data"
	"diaghess/train/record"
)

// DefaultSettings are the pilot's, for CIFAR-10.
func DefaultSettings() record.Settings {
	return record.Settings{
		Model: "pilotcnn", Epochs: 50, Batch: 64, Protocol: record.ProtocolPilot, Augment: record.AugmentNone, Math: gpu.MathFP32,
		Endpoint: record.EndpointLast, Average: record.AverageNone,
	}
}

// DefaultRecalibrate is on how many pictures statistics are recomputed in a study of some
// optimizers, unless another number is chosen. It is 16 batches where other weights than those in
// training are evaluated, averaged ones or an optimizer's own, and 0 where nothing is normalized.
func DefaultRecalibrate(s record.Settings, optimizers []optim.Rule) int {
	if s.Average == record.AverageNone && !slices.ContainsFunc(optimizers, optim.Evaluates) || !normalizes(s.Model) {
		return 0
	}
	return recalibrateBatches * s.Batch
}

// recalibrateBatches is how many batches statistics are recomputed on unless another number is chosen.
const recalibrateBatches = 16

// Protocols returns the names of the protocols.
func Protocols() []string { return []string{record.ProtocolPilot, record.ProtocolHoldout} }

// ValidateSettings says what is wrong with the settings.
func ValidateSettings(s record.Settings) error {
	_, err := layers.Model(s.Model, 2)
	switch {
	case s.Model == "seedcnn":
		return fmt.Errorf("the model seedcnn is called pilotcnn now")
	case err != nil:
		return err
	case s.Protocol == "seed":
		return fmt.Errorf("the protocol seed is called pilot now")
	case s.Epochs < 1 || s.Epochs > mostEpochs:
		return fmt.Errorf("%d epochs: train for 1 to %d", s.Epochs, mostEpochs)
	case s.Batch < 1 || s.Batch > mostBatch:
		return fmt.Errorf("batches of %d pictures: give 1 to %d", s.Batch, mostBatch)
	case s.Batch == 1 && normalizes(s.Model):
		return fmt.Errorf("batches of 1: the batch normalization of %s needs at least 2 pictures", s.Model)
	case s.Limit < 0:
		return fmt.Errorf("limit %d: give a number of pictures, or 0 for all", s.Limit)
	case s.Limit == 1 && normalizes(s.Model):
		return fmt.Errorf("limit 1: the batch normalization of %s needs at least 2 pictures", s.Model)
	case !slices.Contains(Protocols(), s.Protocol):
		return nearest.Unknown("protocol", s.Protocol, Protocols())
	case !slices.Contains(Augmentations(), s.Augment):
		return nearest.Unknown("augmentation", s.Augment, Augmentations())
	case !slices.Contains(gpu.Maths(), s.Math):
		return nearest.Unknown("arithmetic", s.Math, gpu.Maths())
	case !(s.LabelSmoothing >= 0 && s.LabelSmoothing < 1):
		return fmt.Errorf("label smoothing %g is not in [0, 1)", s.LabelSmoothing)
	case s.Endpoint.Check() != nil:
		return fmt.Errorf("endpoint %q is unknown: give %w", s.Endpoint, s.Endpoint.Check())
	case s.Average.Check() != nil:
		return fmt.Errorf("average %q is unknown: give %w", s.Average, s.Average.Check())
	case s.Endpoint == record.EndpointBest && s.Protocol != record.ProtocolHoldout:
		return fmt.Errorf("endpoint %s under protocol %s: it would choose the epoch by the pictures that it is measured on; choose --protocol %s, or another --endpoint", s.Endpoint, s.Protocol, record.ProtocolHoldout)
	case s.Recalibrate < 0:
		return fmt.Errorf("recalibrate %d: give a number of pictures, or 0 for the moving statistics", s.Recalibrate)
	case s.Recalibrate > 0 && !normalizes(s.Model):
		return fmt.Errorf("recalibrate %d: the model %s has no batch normalization; leave --recalibrate out", s.Recalibrate, s.Model)
	case s.Recalibrate == 0 && s.Average != record.AverageNone && normalizes(s.Model):
		return fmt.Errorf("recalibrate 0: the moving statistics of batch normalization in %s are not those of averaged weights; give a number of pictures, or leave --recalibrate out for %d", s.Model, DefaultRecalibrate(s, nil))
	}
	return nil
}

// Job is one run of a study: what its record says, and the rule of the record's spec.
type Job struct {
	record.Job
	Rule optim.Rule
}

// NewJob returns the job of training with a rule.
func NewJob(s record.Settings, dataset string, rule optim.Rule, seed int) Job {
	return Job{record.Job{Settings: s, Dataset: dataset, Optimizer: optim.Spec(rule), Seed: seed}, rule}
}

// ValidateSeed says what is wrong with a seed.
func ValidateSeed(seed int) error {
	if seed < 0 || seed > math.MaxInt32 {
		return fmt.Errorf("seed %d is not in [0, %d]", seed, math.MaxInt32)
	}
	return nil
}

// The limits of a run. A kernel counts elements in int32: the largest activations, the
// pilot's network's of CIFAR, have 32,768 a picture. An optimizer keeps a row of numbers
// for each step.
const (
	mostEpochs = 100_000
	mostBatch  = 65_535
	mostSteps  = 20_000_000
	// The counts of every label with every prediction have classes x classes elements.
	mostClasses = 10_000
)

// Check says what is wrong with runs of the optimizers on a dataset, which need not have
// been fetched: all that can be known before one is made.
func Check(s record.Settings, set data.Status, optimizers []optim.Rule) error {
	_, err := check(s, set, optimizers)
	return err
}

// check is Check, and returns the length of such a run.
func check(s record.Settings, set data.Status, optimizers []optim.Rule) (length optim.Length, err error) {
	if err := ValidateSettings(s); err != nil {
		return length, err
	}
	p, err := splitOf(s, set)
	if err != nil {
		return length, err
	}
	chain, err := layers.Model(s.Model, set.Classes)
	if err != nil {
		return length, err
	}
	convolves := slices.ContainsFunc(chain, func(l layers.Layer) bool { _, ok := l.(layers.Conv); return ok })
	switch pictures := set.Height*set.Width > 1; {
	case convolves && !pictures:
		return length, fmt.Errorf("the model %s convolves pictures, and a row of %s is %d numbers: choose --model mlp", s.Model, set.Name, set.Channels)
	case s.Augment != record.AugmentNone && !pictures:
		return length, fmt.Errorf("augmentation %s: %s has no pictures; leave --augment out", s.Augment, set.Name)
	case s.Augment != record.AugmentNone && set.Numbers:
		return length, fmt.Errorf("augmentation %s: the pictures of %s are no bytes but numbers, which are not augmented; leave --augment out", s.Augment, set.Name)
	case set.Classes > mostClasses:
		return length, fmt.Errorf("%s has %d classes: a run has at most %d", set.Name, set.Classes, mostClasses)
	}
	length = lengthOf(s, p)
	if length.Steps > mostSteps {
		return length, fmt.Errorf("%d epochs of %d steps are %d steps: a run has at most %d; choose fewer --epochs or a larger --batch",
			s.Epochs, length.StepsPerEpoch, length.Steps, mostSteps)
	}
	for _, rule := range optimizers {
		if err := optim.Check(rule, chain, length); err != nil {
			return length, err
		}
		switch own := optim.Evaluates(rule); {
		case own && s.Average != record.AverageNone:
			return length, fmt.Errorf("optimizer %s has weights of its own for evaluation, so --average does not fit it: leave that out, or compare the two in studies of their own", rule.Name())
		case own && s.Recalibrate == 0 && normalizes(s.Model):
			return length, fmt.Errorf("recalibrate 0: the moving statistics of batch normalization in %s are not those of the weights that %s evaluates; give a number of pictures, or leave --recalibrate out for %d",
				s.Model, rule.Name(), DefaultRecalibrate(s, optimizers))
		}
	}
	return length, nil
}

// lengthOf is the length of a run on the parts of a set.
func lengthOf(s record.Settings, p parts) optim.Length {
	steps := (len(p.train) + s.Batch - 1) / s.Batch
	return optim.Length{Steps: steps * s.Epochs, StepsPerEpoch: steps}
}

// normalizes says whether a model, if there is one of that name, has batch normalization:
// it takes the variance over a batch.
func normalizes(model string) bool {
	chain, _ := layers.Model(model, 2)
	return slices.ContainsFunc(chain, func(l layers.Layer) bool {
		e, ok := l.(layers.Epilogue)
		return ok && e.BatchNorm
	})
}
