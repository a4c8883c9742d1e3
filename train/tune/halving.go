package tune

import (
	"path/filepath"
	"slices"

	"diaghess/optim"
	"diaghess/train/record"
)

// Successive halving spends most of a tuning's epochs on its better trials: each
// optimizer's trials are compared after few epochs, the best are trained on, and so
// again until the last ones have been trained to the end. Karnin, Koren and Somekh 2013,
// "Almost optimal exploration in multi-armed bandits"; for epochs as the budget Jamieson
// and Talwalkar 2016, "Non-stochastic best arm identification and hyperparameter
// optimization". Every optimizer gets the same: the trials compete with those of the same
// optimizer and tuning only. A trial that is stopped early was compared on fewer epochs, where
// smaller learning rates look worse than they are.

// rungs returns the stages of a tuning, the last one of all epochs. Each but that is of a
// Halving-th of the epochs of the next, and each but the first of a Halving-th of the
// trials of the one before, both rounded up.
func (t *Tuning) rungs() []record.Rung {
	all := []record.Rung{{Epochs: t.Epochs, Trials: t.Trials}}
	if t.Halving == 0 {
		return all
	}
	for trials := t.Trials / t.Halving; trials > 0 && all[0].Epochs >= t.Halving; trials /= t.Halving {
		all = slices.Insert(all, 0, record.Rung{Epochs: (all[0].Epochs + t.Halving - 1) / t.Halving})
	}
	trials := t.Trials
	for i := range all {
		all[i].Trials = trials
		trials = (trials + t.Halving - 1) / t.Halving
	}
	return all
}

// climb does the trials that are left, rung by rung, and sets their outcomes.
func (t *Tuning) climb(tuned *record.Tuned, run func(tunings [][]optim.Rule, until int) error) error {
	left := make([][]*record.Trial, len(tuned.Optimizers))
	place := make([]int, len(left)) // of the tuning among all
	seeds := make([][]int, len(left))
	for i, o := range tuned.Optimizers {
		place[i] = max(1, o.Tuning) - 1
		seeds[i] = record.TuningSeeds(t.Seeds, place[i]+1)
		for j := range o.Trials {
			left[i] = append(left[i], &o.Trials[j])
		}
	}
	rungs := t.rungs()
	for level, rung := range rungs {
		last := level == len(rungs)-1
		until := rung.Epochs
		if last {
			until = 0
		}
		tunings := make([][]optim.Rule, tuned.Tunings())
		for i, trials := range left {
			for _, trial := range trials {
				tunings[place[i]] = append(tunings[place[i]], t.rules[trial.Spec])
			}
		}
		if err := run(tunings, until); err != nil {
			return err
		}
		for i, trials := range left {
			for _, trial := range trials {
				if err := t.read(trial, seeds[i], rung.Epochs); err != nil {
					return err
				}
				if level == 0 && !last {
					trial.First = trial.Score
				}
			}
			if last {
				continue
			}
			var err error
			if left[i], err = t.thin(trials, seeds[i], rungs[level+1].Trials); err != nil {
				return err
			}
		}
	}
	return nil
}

// thin returns the best so many of an optimizer's trials, fewer where not so many have a
// score, and stops the others.
func (t *Tuning) thin(trials []*record.Trial, seeds []int, most int) ([]*record.Trial, error) {
	slices.SortStableFunc(trials, func(a, b *record.Trial) int { return a.Compare(*b, t.Metric) })
	most = min(most, len(trials))
	for most > 1 && trials[most-1].Score == nil {
		most--
	}
	for _, trial := range trials[most:] {
		if trial.Score != nil {
			trial.Status = record.Stopped
		}
		for _, seed := range seeds {
			if err := t.recordOf(trial, seed).Forget(); err != nil {
				return nil, err
			}
		}
	}
	return trials[:most], nil
}

// recordOf is the record of a trial's run.
func (t *Tuning) recordOf(trial *record.Trial, seed int) record.Run {
	return record.RunOf(filepath.Join(t.Out, TrialsFolder), record.Job{Settings: t.Settings, Dataset: t.Datasets[0], Optimizer: trial.Spec, Seed: seed})
}
