package record

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Tuned is the result of a tuning, tuned.json. It holds no times: the same
// tuning gives the same bytes.
type Tuned struct {
	Schema int `json:"schema,omitempty" in:"0.."`
	Settings
	Dataset string `json:"dataset"`
	Seeds   []int  `json:"seeds" in:"0.."` // of the first tuning, then of the second, and so on
	Metric  string `json:"metric" in:"val_acc|val_loss|f1"`
	Trials  int    `json:"trials" in:"1.."` // of each optimizer in each tuning
	// Repeats is how many independent tunings there are; absent for one.
	Repeats int `json:"repeats,omitempty" in:"2..1000"`
	// Shard is that of a part of the tunings, such as "0/4"; absent from a whole result.
	Shard string `json:"shard,omitempty"`
	// Rungs are the stages of successive halving; empty without it.
	Rungs      []Rung           `json:"rungs,omitempty"`
	Device     string           `json:"device"`
	Build      Build            `json:"build"`
	Optimizers []TunedOptimizer `json:"optimizers"` // one after the other, each with all of its tunings in order
	// Rules are the texts of the rule files that are not part of the program, by their names in
	// specs; absent for none.
	Rules map[string]string `json:"rules,omitempty"`
	// NotTunedFor is in the copy that a study keeps: what the study has that its optimizers
	// were not tuned for, such as "model smallcnn, tuned with mlp"; empty for nothing.
	NotTunedFor []string `json:"not_tuned_for,omitempty"`
}

// Rung is a stage of a tuning: how many epochs each of so many trials of an optimizer has
// then been trained.
type Rung struct {
	Epochs int `json:"epochs" in:"1.."`
	Trials int `json:"trials" in:"1.."`
}

// Dimension is a key of an optimizer's spec that is sampled, and from where.
type Dimension struct {
	Key  string  `json:"key"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	Log  bool    `json:"log"` // uniform in the logarithm
}

// String writes the dimension as a user does: "lr=0.0001..0.01 log".
func (d Dimension) String() string {
	text := fmt.Sprintf("%s=%g..%g", d.Key, d.Low, d.High)
	if d.Log {
		text += " log"
	}
	return text
}

// Tunings returns how many independent tunings there are, at least 1.
func (t *Tuned) Tunings() int { return max(1, t.Repeats) }

// SeedStride is what the seeds of a tuning are above those of the tuning before it. Where
// there are several tunings, those of the first are the first so many seeds of a study, or
// of the seeds of tuning. So no two tunings share a seed, and more seeds can be added later.
const SeedStride = 1000

// TuningSeeds returns the seeds of one of several tunings, counted from 1, where the first has
// the seeds given.
func TuningSeeds(seeds []int, tuning int) []int {
	own := slices.Clone(seeds)
	for i := range own {
		own[i] += (tuning - 1) * SeedStride
	}
	return own
}

// AllSeeds returns the seeds of so many tunings, one tuning after the other, where the first
// has the seeds given.
func AllSeeds(seeds []int, tunings int) (all []int) {
	for i := range tunings {
		all = append(all, TuningSeeds(seeds, i+1)...)
	}
	return all
}

// TunedOptimizer is what a tuning found for an optimizer.
type TunedOptimizer struct {
	Optimizer string      `json:"optimizer"`                 // the spec that was tuned
	Tuning    int         `json:"tuning,omitempty" in:"1.."` // of several, from 1; 0 where there is one
	Best      string      `json:"best"`                      // the spec of the best trial
	BestTrial int         `json:"best_trial" in:"1.."`       // from 1
	Space     []Dimension `json:"space"`
	Trials    []Trial     `json:"trials"`
}

// Name is what a study's arm of the optimizer is called: the settings that a single tuning
// found, or what several tunings have in common.
func (o TunedOptimizer) Name() string {
	if o.Tuning > 0 {
		return o.Optimizer
	}
	return o.Best
}

// Trial is the outcome of a sample of the space.
type Trial struct {
	Trial  int     `json:"trial" in:"1.."` // from 1
	Spec   string  `json:"spec"`
	LR     float64 `json:"lr" in:"0.."`                           // of the spec
	Status Status  `json:"status" in:"finished|diverged|stopped"` // diverged if it did from any seed; stopped by successive halving
	Epochs int     `json:"epochs" in:"0.."`                       // trained, unless it diverged
	// Score is the mean over the seeds of the outcome of those epochs, by the settings'
	// endpoint, on the validation part; nil if the trial diverged.
	Score *TrialScore `json:"score,omitempty"`
	// First is that after the first stage of successive halving, which all trials have
	// reached that did not diverge in it.
	First *TrialScore `json:"first_score,omitempty"`
}

// Early is the trial's score where all trials of its optimizer can be compared: after the
// first stage of successive halving, or else at the end; nil if it diverged before.
func (t Trial) Early() *TrialScore { return cmp.Or(t.First, t.Score) }

// Compare is negative where a trial is better than another by a metric, positive where it is
// worse. The loss decides between equal ones, which accuracies on few pictures often are. Trials
// that were stopped come after all others, except for those that diverged.
func (t Trial) Compare(other Trial, metric string) int {
	if a, b := t.class(), other.class(); a != b || t.Score == nil {
		return cmp.Compare(a, b)
	}
	return cmp.Or(cmp.Compare(t.Score.cost(metric), other.Score.cost(metric)), cmp.Compare(t.Score.ValLoss, other.Score.ValLoss))
}

// class is how a trial ended: to the end, stopped, diverged.
func (t Trial) class() int {
	switch {
	case t.Score == nil:
		return 2
	case t.Status == Stopped:
		return 1
	}
	return 0
}

// cost is a metric so signed that less is better.
func (s *TrialScore) cost(metric string) float64 {
	switch metric {
	case "val_acc":
		return -s.ValAcc
	case "f1":
		return -s.F1
	}
	return s.ValLoss
}

// TrialScore is what a trial is ranked by.
type TrialScore struct {
	ValLoss float64 `json:"val_loss" in:"0.."`
	ValAcc  float64 `json:"val_acc" in:"0..1"`
	F1      float64 `json:"f1" in:"0..1"`
}

// Write writes tuned.json.
func (t Tuned) Write(path string) error {
	return write(path, t.current())
}

// current is the result as this program writes it.
func (t Tuned) current() Tuned {
	t.Schema = Schema
	return t
}

// Digest returns the digest of the file tuned.json that a study with this tuning has.
func (t Tuned) Digest() (string, error) {
	content, err := encode(t.current())
	return Digest(content), err
}

// ReadTuned reads the result of a tuning.
func ReadTuned(path string) (*Tuned, error) {
	content, err := ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("result of a tuning: there is no file %s: diaghess tune writes it", path)
	}
	if err != nil {
		return nil, fmt.Errorf("result of a tuning: %w", err)
	}
	tuned, err := ParseTuned(path, content)
	if err == nil && tuned.Shard != "" {
		return nil, fmt.Errorf("%s is of shard %s of a tuning: merge the shards with diaghess merge, and take the tuned.json that it makes", path, tuned.Shard)
	}
	return tuned, err
}

// ParseTuned reads the result of a tuning from the content of a file.
func ParseTuned(path string, content []byte) (*Tuned, error) {
	tuned := &Tuned{}
	wrong := decode(path, content, tuned)
	if wrong == nil {
		tuned.update()
		wrong = tuned.problems(path)
	}
	if wrong != nil {
		return nil, fmt.Errorf("result of a tuning: %w", wrong.remedied("It holds no runs. The tune or study command that wrote "+path+" writes it anew."))
	}
	return tuned, nil
}

// update gives what version 0.1 recorded its present name.
func (t *Tuned) update() {
	t.Settings.update()
	for i := range t.Optimizers {
		o := &t.Optimizers[i]
		o.Optimizer, o.Best = CurrentSpec(o.Optimizer), CurrentSpec(o.Best)
		for j := range o.Trials {
			o.Trials[j].Spec = CurrentSpec(o.Trials[j].Spec)
		}
	}
}

// problems says in what the parts of the result do not agree.
func (t *Tuned) problems(place string) (wrong Problems) {
	add := func(format string, values ...any) {
		wrong = append(wrong, Problem{Place: place, Sentence: fmt.Sprintf(format, values...)})
	}
	if len(t.Optimizers) == 0 || len(t.Seeds) == 0 {
		add("is not the result of a tuning: it names no optimizers or no seeds")
		return wrong
	}
	n := t.Tunings()
	if want := AllSeeds(t.Seeds[:len(t.Seeds)/n], n); n > 1 && !slices.Equal(t.Seeds, want) {
		add("has the seeds %v: %d tunings have equally many, each %d above those of the tuning before", t.Seeds, n, SeedStride)
	}
	if len(t.Optimizers)%n != 0 && t.Shard == "" {
		add("has %d results for optimizers in %d tunings: each optimizer has one in every tuning", len(t.Optimizers), n)
	}
	known := map[string]bool{}
	if t.Shard != "" { // a merge looks at what all of them have
		for _, o := range t.Optimizers {
			for _, sentence := range o.problems(t) {
				add("%s", sentence)
			}
		}
		return wrong
	}
	for i, o := range t.Optimizers {
		group := t.Optimizers[i-i%n : i]
		want := TunedOptimizer{Optimizer: o.Optimizer}
		if n > 1 {
			want.Tuning = i%n + 1
		}
		if len(group) > 0 {
			want.Optimizer = group[0].Optimizer
		}
		if o.Label() != want.Label() || len(group) == 0 && known[o.Optimizer] {
			add("has %s in place %d: every optimizer has its %d tunings in order, and once", o.Label(), i+1, n)
		}
		known[o.Optimizer] = true
		name, _, _ := strings.Cut(o.Optimizer, ":")
		for _, sentence := range misquoted(o.Optimizer, t.Rules[name]) {
			add("%s", sentence)
		}
		for _, sentence := range o.problems(t) {
			add("%s", sentence)
		}
		for _, other := range group {
			if reflect.DeepEqual(o.Trials, other.Trials) {
				add("has the same trials with the same scores in %s and %s: two tunings never give the same", other.Label(), o.Label())
			}
		}
	}
	return wrong
}

// Label names the optimizer and, of several, its tuning.
func (o TunedOptimizer) Label() string {
	if o.Tuning > 0 {
		return fmt.Sprintf("%s, tuning %d", o.Optimizer, o.Tuning)
	}
	return o.Optimizer
}

// problems says in what the trials of a tuning do not agree with each other and with what is
// said to be their best.
func (o TunedOptimizer) problems(t *Tuned) (sentences []string) {
	add := func(format string, values ...any) { sentences = append(sentences, fmt.Sprintf(format, values...)) }
	for i, trial := range o.Trials {
		if trial.Trial != i+1 {
			add("has number %d in place %d of the trials of %s", trial.Trial, i+1, o.Label())
		}
		if which := "no score"; (trial.Score == nil) != (trial.Status == Diverged) {
			if trial.Score != nil {
				which = "a score"
			}
			add("has %s of trial %d of %s, with the status %s", which, i+1, o.Label(), trial.Status)
		}
	}
	if len(o.Trials) != t.Trials {
		add("has trials of %s: %d, and not %d: budgets are not equal", o.Label(), len(o.Trials), t.Trials)
	} else if o.BestTrial > len(o.Trials) {
		add("has number %d as the best of the %d trials of %s", o.BestTrial, len(o.Trials), o.Label())
	} else if best := o.Trials[o.BestTrial-1]; best.Spec != o.Best {
		add("has %s as the best of %s, and its trial %d is %s", o.Best, o.Label(), o.BestTrial, best.Spec)
	} else if better := slices.MinFunc(o.Trials, func(a, b Trial) int { return a.Compare(b, t.Metric) }); best.Status != Finished || better.Compare(best, t.Metric) < 0 {
		add("has trial %d, which %s, as the best of %s, but by %s it is trial %d", best.Trial, best.Status, o.Label(), t.Metric, better.Trial)
	}
	return sentences
}

// chosen are the settings by name, as a user reads them.
func (s Settings) chosen() map[string]string {
	return map[string]string{
		"model": s.Model, "epochs": fmt.Sprint(s.Epochs), "batch": fmt.Sprint(s.Batch), "protocol": s.Protocol,
		"augment": cmp.Or(s.Augment, AugmentNone), "limit": fmt.Sprint(s.Limit),
		"label smoothing": fmt.Sprint(s.LabelSmoothing), "math": cmp.Or(s.Math, "fp32"),
		"endpoint": string(s.Endpoint), "average": string(s.Average), "recalibrate": fmt.Sprint(s.Recalibrate),
	}
}

// OtherStudy says what a study of these settings and datasets has that the optimizers were
// not tuned for.
func (t *Tuned) OtherStudy(now Settings, datasets []string) []string {
	var list []string
	for _, dataset := range datasets {
		if dataset != t.Dataset {
			list = append(list, fmt.Sprintf("dataset %s, tuned on %s", dataset, t.Dataset))
		}
	}
	was, is := t.chosen(), now.chosen()
	for _, key := range slices.Sorted(maps.Keys(is)) {
		if was[key] != is[key] {
			list = append(list, fmt.Sprintf("%s %s, tuned with %s", key, is[key], was[key]))
		}
	}
	return list
}

// Differences says in what another tuning is not the same as this one, whatever came of
// their trials.
func (t *Tuned) Differences(now *Tuned) []string {
	was, is := t.choices(), now.choices()
	var list []string
	for _, key := range slices.Sorted(maps.Keys(is)) {
		if was[key] != is[key] {
			list = append(list, fmt.Sprintf("%s was %s and is %s", key, cmp.Or(was[key], "none"), cmp.Or(is[key], "none")))
		}
	}
	return list
}

// choices are what a user chose of a tuning, by name.
func (t *Tuned) choices() map[string]string {
	words := func(v any) string { return strings.Trim(fmt.Sprint(v), "[]") }
	all := t.chosen()
	all["dataset"], all["seeds"], all["metric"], all["trials"], all["repeats"] = t.Dataset, words(t.Seeds), t.Metric, fmt.Sprint(t.Trials), fmt.Sprint(t.Tunings())
	var optimizers, stages []string
	for _, o := range t.Optimizers {
		if text := fmt.Sprintf("%s over %s", o.Optimizer, words(o.Space)); !slices.Contains(optimizers, text) { // all of its tunings have the same
			optimizers = append(optimizers, text)
		}
	}
	for _, rung := range t.Rungs {
		stages = append(stages, fmt.Sprintf("%d of %d epochs", rung.Trials, rung.Epochs))
	}
	all["space"], all["halving"] = strings.Join(optimizers, "; "), strings.Join(stages, ", ")
	return all
}
