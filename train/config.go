package train

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"diaghess/layers"
	"diaghess/optim"
	"diaghess/train/data"
)

// Settings are the settings of a run that are equal for all runs of a study.
type Settings struct {
	Model          string  `json:"model"`           // see layers.Models
	Epochs         int     `json:"epochs"`          // passes over the training pictures
	Batch          int     `json:"batch"`           // pictures per step; the last step of an epoch takes the rest
	Protocol       string  `json:"protocol"`        // see Protocols
	Augment        string  `json:"augment"`         // see Augmentations
	Limit          int     `json:"limit"`           // train on the first Limit pictures; 0 for all
	LabelSmoothing float64 `json:"label_smoothing"` // in training; in [0, 1)
	Math           string  `json:"math"`            // of the convolutions, see Maths
}

// DefaultSettings returns the pilot's settings for CIFAR-10.
func DefaultSettings() Settings {
	return Settings{Model: "seedcnn", Epochs: 50, Batch: 64, Protocol: ProtocolSeed, Augment: AugmentNone, Math: MathFP32}
}

// The protocols say which pictures a run is measured on.
const (
	// ProtocolSeed is the pilot's: pixels divided by their largest value, and the test
	// set as validation set after every epoch. The pilot did not augment.
	ProtocolSeed = "seed"
	// ProtocolHoldout keeps HoldoutPictures training pictures aside, the same in every
	// run. They are the validation set after every epoch. The test set is used once, at
	// the end.
	ProtocolHoldout = "holdout"
)

// Protocols returns the names of the protocols.
func Protocols() []string { return []string{ProtocolSeed, ProtocolHoldout} }

// Validate returns an error that says which setting is invalid.
func (s Settings) Validate() error {
	switch {
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
	case !slices.Contains(Maths(), s.Math):
		return fmt.Errorf("unknown arithmetic %q (known: %s)", s.Math, strings.Join(Maths(), ", "))
	case !(s.LabelSmoothing >= 0 && s.LabelSmoothing < 1):
		return fmt.Errorf("label smoothing %g is not in [0, 1)", s.LabelSmoothing)
	}
	return nil
}

// Job is one run of a study.
type Job struct {
	Settings
	Dataset   string `json:"dataset"`   // see data.Names
	Optimizer string `json:"optimizer"` // a spec, see optim.Parse
	Seed      int    `json:"seed"`
}

// Validate says what is wrong with the job.
func (j Job) Validate() error {
	if err := j.Settings.Validate(); err != nil {
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

// String names the job for a person: "cifar10 adamw seed 3".
func (j Job) String() string {
	return fmt.Sprintf("%s %s seed %d", j.Dataset, j.Optimizer, j.Seed)
}
