package tune

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"diaghess/nearest"
	"diaghess/optim"
	"diaghess/train"
	"diaghess/train/record"
	"diaghess/train/study"
)

// FirstSeed is where the seeds of tuning begin. A study's seeds are below
// it as a rule, and never those that its optimizers were tuned on.
const FirstSeed = 1_000_000

// Tuning chooses the settings of optimizers, with an equal budget for each: the same
// number of trials. A trial is sampled from a declared space and trained for as many epochs
// from the same seeds. What counts is the validation
// part of the holdout protocol; the test set is not looked at.
type Tuning struct {
	study.Study             // Seeds from FirstSeed on; its Optimizers are those of Specs
	Specs       []string    // of the optimizers to tune, with what is not to be sampled
	Texts       optim.Texts // of rule files that specs name by a digest
	Trials      int         // of each optimizer
	Space       Space       // empty for the defaults
	Metric      string      // what the best trial is best in, see Metrics
	// Repeats is how many independent tunings there are, each with trials and seeds of its
	// own and the same budget; 0 stands for 1. Seeds are those of the first; see
	// [record.TuningSeeds]. The samples of one of several tunings are those of a single tuning,
	// moved by a random vector: see shift.
	Repeats int
	// Halving trains only the best of each optimizer's trials on, one in so many, after
	// as small a part of the epochs, and so again; 0 trains all to the end.
	Halving int

	rules map[string]optim.Rule // of the trials, by spec
}

// TrialsFolder is the study of the trials, in the tuning's folder.
const TrialsFolder = "trials"

// mostRepeats bounds the tunings: with more, a study's seeds would be those of tuning.
const mostRepeats = FirstSeed / record.SeedStride

// mostTrials bounds the points of a space: far fewer find a good one.
const mostTrials = 10_000

// Run does the trials that have not ended yet, and returns the result and the
// path of its file.
func (t *Tuning) Run(ctx context.Context, observer study.Observer) (tuned *record.Tuned, path string, err error) {
	if tuned, err = t.plan(); err != nil {
		return nil, "", err
	}
	release, err := t.hold(ctx)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = cmp.Or(err, release()) }()
	if t.Shard.Of > 0 {
		tuned.Shard = t.Shard.String()
		tuned.Optimizers = slices.DeleteFunc(tuned.Optimizers, func(o record.TunedOptimizer) bool { return (o.Tuning-1)%t.Shard.Of != t.Shard.Index })
	}
	stages := t.rungs()
	err = t.climb(tuned, func(tunings [][]optim.Rule, until int) error {
		trials := t.Study
		for i, stage := range stages[1:] {
			trials.Later += (stage.Epochs - stages[i].Epochs) * stage.Trials * len(tuned.Optimizers) * len(t.Seeds)
		}
		stages = stages[1:]
		trials.Out, trials.Optimizers = filepath.Join(t.Out, TrialsFolder), tunings[0]
		if len(tunings) > 1 {
			trials.Tunings = tunings
		}
		trials.ValidationOnly, trials.Until, trials.Shard = true, until, record.Shard{}
		return trials.Run(ctx, observer)
	})
	if err != nil {
		return nil, "", err
	}
	for i := range tuned.Optimizers {
		o := &tuned.Optimizers[i]
		best := slices.MinFunc(o.Trials, func(a, b record.Trial) int { return a.Compare(b, t.Metric) })
		if best.Status != record.Finished {
			return nil, "", fmt.Errorf("all trials of %[2]s (%[1]d) diverged: give it a space of smaller learning rates with --space", t.rungs()[len(t.rungs())-1].Trials, o.Label())
		}
		o.Best, o.BestTrial = best.Spec, best.Trial
	}
	return tuned, t.path(), tuned.Write(t.path())
}

// path is where the result lies, beside the trials' study.
func (t *Tuning) path() string { return filepath.Join(t.Out, record.TunedFile) }

// sameAsBefore refuses to replace the result of another tuning, and what is none. A file
// that was damaged is replaced: the trials are kept beside it.
func (t *Tuning) sameAsBefore(now *record.Tuned) error {
	content, err := record.ReadFile(t.path())
	if errors.Is(err, fs.ErrNotExist) || err == nil && !json.Valid(content) {
		return nil
	}
	if err != nil {
		return err
	}
	before, err := record.ParseTuned(t.path(), content)
	if err != nil {
		return fmt.Errorf("%w; choose another folder with --out, or delete that file to replace it", err)
	}
	if differ := before.Differences(now); len(differ) > 0 {
		return fmt.Errorf("%s is the result of another tuning (%s): choose another folder with --out, or delete that file to replace it", t.path(), strings.Join(differ, "; "))
	}
	return nil
}

// hold is [study.Study.Hold] for the tuning's folder, in which that of the trials is.
func (t *Tuning) hold(ctx context.Context) (release func() error, err error) {
	trials := filepath.Join(t.Out, TrialsFolder)
	if err := t.CheckShard(); err != nil {
		return nil, err
	}
	if err := record.CheckFolder(ctx, trials, t.Force); err != nil {
		return nil, err
	}
	path := filepath.Join(t.Out, record.TunedFile)
	begun, err := record.Begun(trials)
	if err != nil {
		return nil, err
	}
	if _, foreign := record.ReadTuned(path); foreign != nil && !begun && !t.Force {
		if err := record.CheckFiles(t.Out, record.TunedFile); err != nil {
			return nil, err
		}
	}
	held, err := t.Lock(ctx)
	if err != nil {
		return nil, err
	}
	if err := record.Sweep(ctx, t.Out); err != nil {
		return nil, errors.Join(err, held.Close())
	}
	return held.Close, nil
}

// CheckShard says why the tuning's shard cannot be where it is to be.
func (t *Tuning) CheckShard() error {
	if t.Shard.Of == 0 {
		return record.CheckMerged(t.Out)
	}
	if n := max(1, t.Repeats); t.Shard.Of > n {
		return fmt.Errorf("%s of %s: a shard of a tuning has whole repeats, so use at most %d shards, or more --repeats", record.Plural(t.Shard.Of, "shard"), record.Plural(n, "repeat"), n)
	}
	return record.CheckShard(filepath.Dir(t.Out), TrialsFolder, t.Shard, nil)
}

// Validate says what is wrong with the tuning.
func (t *Tuning) Validate() error {
	if _, err := t.plan(); err != nil {
		return err
	}
	_, err := t.Jobs()
	return err
}

// plan checks the tuning and draws the trials.
func (t *Tuning) plan() (*record.Tuned, error) {
	tunings := max(1, t.Repeats)
	switch {
	case t.Protocol != record.ProtocolHoldout:
		return nil, fmt.Errorf("protocol %s: tuning validates on training pictures kept aside, which is the protocol %s", t.Protocol, record.ProtocolHoldout)
	case len(t.Datasets) != 1:
		return nil, fmt.Errorf("%d datasets: tune on one", len(t.Datasets))
	case t.Trials < 1 || t.Trials > mostTrials:
		return nil, fmt.Errorf("%d trials: give each optimizer 1 to %d", t.Trials, mostTrials)
	case t.Repeats < 0 || t.Repeats > mostRepeats:
		return nil, fmt.Errorf("%d repeats: tune 1 to %d times", t.Repeats, mostRepeats)
	case int64(t.Trials)*int64(len(t.Specs))*int64(len(t.Seeds))*int64(tunings) > study.MostRuns:
		return nil, fmt.Errorf("%d trials of %d optimizers from %d seeds in %d tunings are too many: a tuning has at most %d runs", t.Trials, len(t.Specs), len(t.Seeds), tunings, study.MostRuns)
	case t.Halving != 0 && (t.Halving < 2 || t.Halving > t.Trials || t.Halving > t.Epochs):
		return nil, fmt.Errorf("halving by %d: give a number from 2 to the number of trials, %d, and of epochs, %d; or 0 to train all trials to the end", t.Halving, t.Trials, t.Epochs)
	case !slices.Contains(record.Metrics(), t.Metric):
		return nil, nearest.Unknown("metric", t.Metric, record.Metrics())
	case len(t.Specs) == 0 || len(t.Seeds) == 0:
		return nil, errors.New("tuning needs at least one optimizer and one seed")
	}
	for _, seed := range t.Seeds {
		if seed < FirstSeed {
			return nil, fmt.Errorf("seed %d is one that a study may have: tuning seeds begin at %d", seed, FirstSeed)
		}
		if tunings > 1 && seed >= FirstSeed+record.SeedStride {
			return nil, fmt.Errorf("seed %d: of several tunings each has the seeds %d above those of the one before: choose seeds of the first from %d to %d",
				seed, record.SeedStride, FirstSeed, FirstSeed+record.SeedStride-1)
		}
	}
	tuned := &record.Tuned{
		Settings: t.Settings, Dataset: t.Datasets[0], Seeds: record.AllSeeds(t.Seeds, tunings), Metric: t.Metric, Trials: t.Trials,
		Device: t.Device, Build: train.ThisBuild(),
	}
	if tunings > 1 {
		tuned.Repeats = tunings
	}
	if t.Halving > 0 {
		tuned.Rungs = t.rungs()
	}
	names := map[string]bool{} // of the rules
	t.Optimizers, t.rules = nil, map[string]optim.Rule{}
	for _, spec := range t.Specs {
		rule, err := t.Texts.Parse(spec)
		if err != nil {
			return nil, err
		}
		if _, settings := optim.Split(spec); settings != "" {
			spec = rule.Name() + ":" + settings
		} else {
			spec = rule.Name()
		}
		if optim.IsReference(rule.Name()) {
			if tuned.Rules == nil {
				tuned.Rules = map[string]string{}
			}
			tuned.Rules[rule.Name()] = optim.Source(rule)
		}
		t.Optimizers = append(t.Optimizers, rule)
		dimensions, err := t.Space.of(spec, rule)
		if err != nil {
			return nil, err
		}
		for tuning := 1; tuning <= tunings; tuning++ {
			o := record.TunedOptimizer{Optimizer: spec, Space: dimensions}
			var moved []float64
			if tunings > 1 {
				o.Tuning, moved = tuning, shift(t.Seeds[0], tuning)
			}
			rules, err := draw(spec, rule, dimensions, t.Trials, moved)
			if err != nil {
				return nil, err
			}
			for i, rule := range rules {
				rate, err := strconv.ParseFloat(optim.Settings(rule)["lr"], 64)
				if err != nil {
					return nil, err
				}
				t.rules[optim.Spec(rule)] = rule
				o.Trials = append(o.Trials, record.Trial{Trial: i + 1, Spec: optim.Spec(rule), LR: rate})
			}
			tuned.Optimizers = append(tuned.Optimizers, o)
		}
		names[rule.Name()], names[withoutDigest(rule.Name())] = true, true
	}
	for _, name := range slices.Sorted(maps.Keys(t.Space)) {
		if name != "" && !names[name] {
			return nil, fmt.Errorf("space: %s is not among the optimizers to tune%s", name, nearest.Question(name, slices.Sorted(maps.Keys(names)), ""))
		}
	}
	return tuned, t.sameAsBefore(tuned)
}

// read sets a trial's outcome after so many epochs from its records, whatever became of
// it later: a tuning that goes on finds what it found before.
func (t *Tuning) read(trial *record.Trial, seeds []int, epochs int) error {
	score := &record.TrialScore{}
	trial.Status, trial.Epochs, trial.Score = record.Finished, epochs, score
	for _, seed := range seeds {
		r := t.recordOf(trial, seed)
		lines, err := r.Epochs()
		if err != nil {
			return err
		}
		if len(lines) < epochs {
			f, ended, err := r.Final()
			if err != nil {
				return err
			}
			if !ended || f.Status == record.Finished {
				return fmt.Errorf("%s has %d epochs, not %d, though its study has them: run the same command again", r.Folder, len(lines), epochs)
			}
			trial.Status, trial.Epochs, trial.Score = f.Status, 0, nil
			continue
		}
		e, n := t.Endpoint.Of(lines[:epochs]), float64(len(seeds))
		score.ValLoss += e.ValLoss / n
		score.ValAcc += e.ValAcc / n
		score.F1 += e.F1 / n
	}
	return nil
}
