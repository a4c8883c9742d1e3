package record

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Settings are what a user chooses of a run, except for what tells the runs of a
// study apart.
type Settings struct {
	Model          string  `json:"model"`                            // see layers.ModelSpec
	Epochs         int     `json:"epochs" in:"1.."`                  // passes over the training pictures
	Batch          int     `json:"batch" in:"1.."`                   // pictures a step; the last step of an epoch takes what is left
	Protocol       string  `json:"protocol" in:"pilot|holdout|seed"` // ProtocolPilot or ProtocolHoldout
	Augment        string  `json:"augment" since:"1"`                // AugmentNone, or see train.Augmentations
	Limit          int     `json:"limit" in:"0.."`                   // train on the first Limit pictures; 0 for all
	LabelSmoothing float64 `json:"label_smoothing" in:"0..1"`        // in training; in [0, 1)
	Math           string  `json:"math" since:"1"`                   // arithmetic of the convolutions
	// Endpoint is what a run's outcome is computed from.
	Endpoint Endpoint `json:"endpoint" since:"2"`
	// Average is whether averaged weights are evaluated.
	Average Average `json:"average" since:"2"`
	// Recalibrate is on how many training pictures the statistics of batch normalization are
	// recomputed before each evaluation; 0 evaluates with the moving statistics.
	Recalibrate int `json:"recalibrate" since:"2" in:"0.."`
	// EvaluateTrain is whether each epoch ends with an evaluation on the training pictures too.
	EvaluateTrain bool `json:"evaluate_train" since:"4"`
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
	Seed      int    `json:"seed" in:"0.."`
	// Arm and Tuning are there where the optimizers were tuned several times: what the
	// optimizer is called whichever settings a tuning found, and which tuning, from 1, found
	// these.
	Arm    string `json:"arm,omitempty"`
	Tuning int    `json:"tuning,omitempty" in:"1.."`
}

// Name is what the run's arm of the study is called: its optimizer's spec, unless it has
// another in each of several tunings.
func (j Job) Name() string { return cmp.Or(j.Arm, j.Optimizer) }

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
	Schema int `json:"schema,omitempty" in:"0.."`
	Job
	OptimizerSettings map[string]string `json:"optimizer_settings"` // every key with its value
	// Rule is the text of the optimizer's rule file; "" for a rule without one. The name of a
	// file that is not part of the program ends in a part of the text's digest: "my@1a2b3c4d".
	Rule          string `json:"rule,omitempty"`
	TrainPictures int    `json:"train_pictures" in:"1.."`
	ValPictures   int    `json:"val_pictures" in:"1.."`
	TestPictures  int    `json:"test_pictures" in:"0.."` // 0 where the test set is the validation set, or is left alone
	// Data says what the dataset is beyond its name; nil for a set of the catalogue with its own split.
	Data       *Origin `json:"data,omitempty"`
	Parameters int     `json:"parameters" in:"1.."` // trainable
	Steps      int     `json:"steps" in:"1.."`
	Device     string  `json:"device"`
	// Card is the model of a GPU, see [diaghess/gpu.Card], and what counts of the device then:
	// cards of one model compute the same. Absent for other devices, and in records of old.
	Card       string            `json:"card,omitempty"`
	Algorithms map[string]string `json:"algorithms"` // of each direction of each linear layer, and of the optimizer's matrix products
	Build      Build             `json:"build"`
	// TuningTrials is how many trials the optimizer's settings were chosen from;
	// 0 where that is not known.
	TuningTrials int `json:"tuning_trials,omitempty" in:"0.."`
	// Machine describes the device; it may change between a run's parts.
	Machine string `json:"machine"`
}

// OwnWeights says whether the rule file makes weights for evaluation that are not those which
// are trained.
func (c Config) OwnWeights() bool { return evalLine.MatchString(c.Rule) }

// evalLine is the line of a rule file that makes them; eval is a word of the language, and
// no name.
var evalLine = regexp.MustCompile(`(?m)^[ \t]*eval\b`)

// Origin says which rows a dataset has, and what a run makes of them.
type Origin struct {
	Source string `json:"source"`          // as the user gave it: a name or a path, with options
	Digest string `json:"digest"`          // SHA-256 of the rows
	Split  string `json:"split"`           // into rows for training and for testing, in words
	Scale  string `json:"scale,omitempty"` // in words; absent for bytes, which are divided by their largest value
}

// renamed are the names of protocols, models and estimators of the curvature in records of
// version 0.1, with what they are called now.
var renamed = map[string]string{"seed": ProtocolPilot, "seedcnn": "pilotcnn", "recursion": "hesscale", "fisher": "empirical-fisher"}

// current returns what a protocol, a model or an estimator is called now.
func current(name string) string { return cmp.Or(renamed[name], name) }

// former returns what version 0.1 called an estimator.
func former(name string) string {
	for old, now := range renamed {
		if now == name {
			return old
		}
	}
	return name
}

// curvatureKey is the key of a spec whose value is an estimator of the curvature.
const curvatureKey = "curvature"

// CurrentSpec returns the spec of an optimizer that a record of version 0.1 may name, with
// the present name of its estimator of the curvature.
func CurrentSpec(spec string) string { return withEstimator(spec, current) }

// withEstimator returns a spec with another name of its estimator.
func withEstimator(spec string, rename func(string) string) string {
	rule, list, found := strings.Cut(spec, ":")
	if !found {
		return spec
	}
	settings := strings.Split(list, ",")
	for i, setting := range settings {
		if name, ok := strings.CutPrefix(setting, curvatureKey+"="); ok {
			settings[i] = curvatureKey + "=" + rename(name)
		}
	}
	return rule + ":" + strings.Join(settings, ",")
}

// update gives what version 0.1 recorded its present name, and sets what records before
// schema 2 leave out.
func (s *Settings) update() {
	s.Protocol, s.Model = current(s.Protocol), current(s.Model)
	s.Endpoint, s.Average = cmp.Or(s.Endpoint, EndpointLast), cmp.Or(s.Average, AverageNone)
}

// update gives what version 0.1 recorded its present name.
func (j *Job) update() {
	j.Settings.update()
	j.Optimizer, j.Arm = CurrentSpec(j.Optimizer), CurrentSpec(j.Arm)
}

// complete sets what records without a schema leave out: there was no other value.
func (c *Config) complete() {
	c.update()
	if name, ok := c.OptimizerSettings[curvatureKey]; ok {
		c.OptimizerSettings[curvatureKey] = current(name)
	}
	c.Augment, c.Math = cmp.Or(c.Augment, AugmentNone), cmp.Or(c.Math, "fp32")
}

// differences says in what two configs differ, by name. With exact unset only what the
// user chose counts, else all that results depend on.
func (c Config) differences(now Config, exact bool) []string {
	if c.Card != "" && now.Card != "" {
		c.Device, now.Device = c.Card, now.Card
	}
	a, b := c.fields(exact), now.fields(exact)
	var differ []string
	for _, key := range slices.Sorted(maps.Keys(b)) {
		if a[key] != b[key] {
			differ = append(differ, fmt.Sprintf("%s was %s and is %s", key, cmp.Or(a[key], "not set"), b[key]))
		}
	}
	if c.Rule != "" && now.Rule != "" && c.Rule != now.Rule { // records of old have none
		differ = append(differ, "the text of the rule file is another")
	}
	if exact {
		differ = append(differ, algorithmDifference(c.Algorithms, now.Algorithms)...)
	}
	return differ
}

// algorithmDifference says in what the algorithms of two runs differ: the library that all
// of them are of, or the first of them.
func algorithmDifference(old, now map[string]string) []string {
	if maps.Equal(old, now) {
		return nil
	}
	if a, b := libraryOf(old), libraryOf(now); a != b && a != "" && b != "" {
		return []string{fmt.Sprintf("library was %s, is %s", a, b)}
	}
	var differ []string
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if old[key] != now[key] {
			differ = append(differ, fmt.Sprintf("algorithm of %s was %s and is %s", key, cmp.Or(old[key], "not set"), now[key]))
		}
	}
	if n := len(differ); n > 1 {
		differ = []string{fmt.Sprintf("%s, and %d algorithms differ in all", differ[0], n)}
	}
	if differ == nil {
		differ = []string{"there were algorithms for more layers"}
	}
	return differ
}

// libraryOf is the word of algorithms that names the cpu's library, "" where they are of
// several libraries or of none of these.
func libraryOf(algorithms map[string]string) string {
	for _, library := range []string{"native", "gonum", "onednn"} { // onednn in records of old
		all := len(algorithms) > 0
		for _, a := range algorithms {
			all = all && strings.Contains(strings.ToLower(a), library)
		}
		if all {
			return library
		}
	}
	return ""
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
		"device": show(c.Device), "math": show(c.Math), "endpoint": show(c.Endpoint), "average": show(c.Average), "recalibrate": show(c.Recalibrate),
		"evaluate train": show(c.EvaluateTrain),
		"arm":            show(c.Arm), "tuning": show(c.Tuning),
	}
	if c.Data != nil {
		f["digest of the dataset"], f["split"], f["scaling"] = c.Data.Digest, c.Data.Split, c.Data.Scale
	}
	name, _, _ := strings.Cut(c.Optimizer, ":")
	f["optimizer"] = name
	for key, value := range c.OptimizerSettings {
		f[key+" of the optimizer"] = value
	}
	if exact {
		f["program"] = c.Build.String()
	}
	return f
}
