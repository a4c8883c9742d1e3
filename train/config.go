package train

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"diaghess/gpu"
	"diaghess/layers"
	"diaghess/optim"
	"diaghess/train/data"
	"diaghess/train/record"
)

// DefaultSettings are the pilot's, for CIFAR-10.
func DefaultSettings() record.Settings {
	return record.Settings{Model: "pilotcnn", Epochs: 50, Batch: 64, Protocol: record.ProtocolPilot, Augment: record.AugmentNone, Math: gpu.MathFP32}
}

// Protocols returns the names of the protocols.
func Protocols() []string { return []string{record.ProtocolPilot, record.ProtocolHoldout} }

// ValidateSettings says what is wrong with the settings.
func ValidateSettings(s record.Settings) error {
	switch {
	case s.Model == "seedcnn":
		return fmt.Errorf("the model seedcnn is called pilotcnn now")
	case s.Protocol == "seed":
		return fmt.Errorf("the protocol seed is called pilot now")
	case !slices.Contains(layers.Models(), s.Model):
		return fmt.Errorf("unknown model %q (known: %s)", s.Model, strings.Join(layers.Models(), ", "))
	case s.Epochs < 1:
		return fmt.Errorf("%d epochs: train for at least 1", s.Epochs)
	case s.Batch < 2:
		return fmt.Errorf("batches of %d: batch normalization needs at least 2 pictures", s.Batch)
	case s.Limit < 0:
		return fmt.Errorf("limit %d: give a number of pictures, or 0 for all", s.Limit)
	case s.Limit == 1:
		return fmt.Errorf("limit 1: batch normalization needs at least 2 pictures")
	case !slices.Contains(Protocols(), s.Protocol):
		return fmt.Errorf("unknown protocol %q (known: %s)", s.Protocol, strings.Join(Protocols(), ", "))
	case !slices.Contains(Augmentations(), s.Augment):
		return fmt.Errorf("unknown augmentation %q (known: %s)", s.Augment, strings.Join(Augmentations(), ", "))
	case !slices.Contains(gpu.Maths(), s.Math):
		return fmt.Errorf("unknown arithmetic %q (known: %s)", s.Math, strings.Join(gpu.Maths(), ", "))
	case !(s.LabelSmoothing >= 0 && s.LabelSmoothing < 1):
		return fmt.Errorf("label smoothing %g is not in [0, 1)", s.LabelSmoothing)
	}
	return nil
}

// Validate says what is wrong with a job.
func Validate(j record.Job) error {
	if err := ValidateSettings(j.Settings); err != nil {
		return err
	}
	if !slices.Contains(data.Names(), j.Dataset) {
		return fmt.Errorf("unknown dataset %q (known: %s)", j.Dataset, strings.Join(data.Names(), ", "))
	}
	if j.Seed < 0 || j.Seed > math.MaxInt32 {
		return fmt.Errorf("seed %d is not in [0, %d]", j.Seed, math.MaxInt32)
	}
	_, err := optim.Parse(j.Optimizer)
	return err
}
