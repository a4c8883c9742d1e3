package record

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Settings are what a user chooses of a run, except for what tells the runs of a
// study apart.
type Settings struct {
	Model          string  `json:"model"`           // see layers.Models
	Epochs         int     `json:"epochs"`          // passes over the training pictures
	Batch          int     `json:"batch"`           // pictures a step; the last step of an epoch takes what is left
	Protocol       string  `json:"protocol"`        // ProtocolPilot or ProtocolHoldout
	Augment        string  `json:"augment"`         // AugmentNone, or see train.Augmentations
	Limit          int     `json:"limit"`           // train on the first Limit pictures; 0 for all
	LabelSmoothing float64 `json:"label_smoothing"` // in training; in [0, 1)
	Math           string  `json:"math"`            // arithmetic of the convolutions
}

// The protocols: what a run is measured on.
const (
	// ProtocolPilot is the pilot's: pixels divided by their largest value, and the
	// test set as validation set after every epoch. The pilot did not augment.
	ProtocolPilot = "pilot"
	// ProtocolHoldout keeps training pictures aside, the same in every run, as
	// validation set after every epoch, and touches the test set once, at the end.
	ProtocolHoldout = "holdout"
)

// AugmentNone trains on the pictures as they are.
const AugmentNone = "none"

// Job is one run of a study.
type Job struct {
	Settings
	Dataset   string `json:"dataset"`   // see data.Names
	Optimizer string `json:"optimizer"` // a spec, see optim.Parse
	Seed      int    `json:"seed"`
}

// String names the job for a person: "cifar10 adamw seed 3".
func (j Job) String() string {
	return fmt.Sprintf("%s %s seed %d", j.Dataset, j.Optimizer, j.Seed)
}

// Build says what program made a record, as far as it can change results.
type Build struct {
	// Commit is the source's, of 12 digits, "unknown" outside a checkout. Where it alone
	// does not say what was compiled, a "+" and the first 12 digits of the program file's SHA-256
	// follow: in a changed checkout, in a source archive, or outside both.
	Commit   string `json:"commit"`
	Go       string `json:"go"`       // compiler
	Platform string `json:"platform"` // operating system and processor
}

// String names the build for a person.
func (b Build) String() string { return b.Commit + " " + b.Go + " " + b.Platform }

// Config is config.json: all that a run's results depend on.
type Config struct {
	Schema int `json:"schema"`
	Job
	OptimizerSettings map[string]string `json:"optimizer_settings"` // every key with its value
	TrainPictures     int               `json:"train_pictures"`
	ValPictures       int               `json:"val_pictures"`
	TestPictures      int               `json:"test_pictures"` // 0 where the test set is the validation set, or is left alone
	Parameters        int               `json:"parameters"`    // trainable
	Steps             int               `json:"steps"`
	Device            string            `json:"device"`
	Algorithms        map[string]string `json:"algorithms"` // of each direction of each linear layer
	Build             Build             `json:"build"`
	// TuningTrials is how many trials the optimizer's settings were chosen from;
	// 0 where that is not known.
	TuningTrials int `json:"tuning_trials,omitempty"`
	// Machine describes the device; it may change between a run's parts.
	Machine string `json:"machine"`
}

// renamed are the names of protocols and models in records of version 0.1, with what they
// are called now.
var renamed = map[string]string{"seed": ProtocolPilot, "seedcnn": "pilotcnn"}

// current returns what a protocol or a model is called now.
func current(name string) string { return cmp.Or(renamed[name], name) }

// update gives what version 0.1 recorded its present name.
func (s *Settings) update() { s.Protocol, s.Model = current(s.Protocol), current(s.Model) }

// complete sets what records without a schema leave out: there was no other value.
func (c *Config) complete() {
	c.update()
	c.Augment, c.Math = cmp.Or(c.Augment, AugmentNone), cmp.Or(c.Math, "fp32")
}

// differences says in what two configs differ, by name. With exact unset only what the
// user chose counts, else all that results depend on.
func (c Config) differences(now Config, exact bool) []string {
	a, b := c.fields(exact), now.fields(exact)
	var differ []string
	for _, key := range slices.Sorted(maps.Keys(b)) {
		if a[key] != b[key] {
			differ = append(differ, fmt.Sprintf("%s was %s and is %s", key, a[key], b[key]))
		}
	}
	return differ
}

// fields flattens what counts of a config.
func (c Config) fields(exact bool) map[string]string {
	show := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			panic("record: " + err.Error())
		}
		return string(text)
	}
	f := map[string]string{
		"model": show(c.Model), "epochs": show(c.Epochs), "batch": show(c.Batch), "protocol": show(c.Protocol),
		"augment": show(c.Augment), "limit": show(c.Limit), "label smoothing": show(c.LabelSmoothing), "dataset": show(c.Dataset), "seed": show(c.Seed),
		"optimizer": show(c.OptimizerSettings), "device": show(c.Device), "math": show(c.Math),
	}
	if exact {
		f["algorithms"], f["build"] = show(c.Algorithms), show(c.Build)
	}
	return f
}

// folderName is an optimizer's spec as the name of a folder: characters that some file
// system does not take become underscores.
func folderName(spec string) string { return strings.NewReplacer(":", "_", ",", "_").Replace(spec) }
