package study

import (
	"diaghess/optim"
	"diaghess/train/record"
	"fmt"
	"slices"
)

// Use has a study compare the best of each tuned optimizer, the first of them
// the baseline. It refuses a study of a seed that they were tuned on.
func (s *Study) Use(tuned *record.Tuned) error {
	for _, seed := range s.Seeds {
		if slices.Contains(tuned.Seeds, seed) {
			return fmt.Errorf("seed %d is one that the optimizers were tuned on: choose others with --seeds", seed)
		}
	}
	s.Optimizers, s.tuned, s.tuningTrials = nil, tuned, map[string]int{}
	for _, o := range tuned.Optimizers {
		rule, err := optim.Parse(o.Best)
		if err != nil {
			return fmt.Errorf("best trial of %s: %w", o.Optimizer, err)
		}
		arm := optim.Spec(rule)
		s.Optimizers = append(s.Optimizers, arm)
		s.tuningTrials[arm] = len(o.Trials)
	}
	return nil
}

// Differences says in what a study is not what its optimizers were tuned for.
func (s *Study) Differences(tuned *record.Tuned) []string {
	var list []string
	for _, dataset := range s.Datasets {
		if dataset != tuned.Dataset {
			list = append(list, fmt.Sprintf("the optimizers were tuned on %s and the study is on %s", tuned.Dataset, dataset))
		}
	}
	for _, d := range []struct {
		what       string
		tuned, now any
	}{
		{"model", tuned.Model, s.Model}, {"epochs", tuned.Epochs, s.Epochs}, {"batch", tuned.Batch, s.Batch},
		{"protocol", tuned.Protocol, s.Protocol}, {"augment", tuned.Augment, s.Augment}, {"limit", tuned.Limit, s.Limit},
		{"label smoothing", tuned.LabelSmoothing, s.LabelSmoothing},
	} {
		if d.tuned != d.now {
			list = append(list, fmt.Sprintf("the optimizers were tuned with %s %v and the study has %v", d.what, d.tuned, d.now))
		}
	}
	return list
}
