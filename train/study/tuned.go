package study

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"diaghess/optim"
	"diaghess/train"
	"diaghess/train/record"
)

// Use has a study compare the best of each tuned optimizer, the first of them
// the baseline. Where there are several tunings, each has seeds of its own: see Tunings. Use
// refuses a study of a seed that they were tuned on and, unless another
// tuning is allowed, one of other settings or datasets. What differs is recorded.
func (s *Study) Use(tuned *record.Tuned, allowOther bool) error {
	tunings := tuned.Tunings()
	for _, seed := range s.Seeds {
		if tunings > 1 && seed >= record.SeedStride {
			return fmt.Errorf("seed %d: there are %d tunings, and the seeds of each are %d above those of the one before: choose seeds below %d with --seeds",
				seed, tunings, record.SeedStride, record.SeedStride)
		}
	}
	for _, seed := range record.AllSeeds(s.Seeds, tunings) {
		if slices.Contains(tuned.Seeds, seed) {
			return fmt.Errorf("seed %d is one that the optimizers were tuned on: choose others with --seeds", seed)
		}
	}
	differ := tuned.OtherStudy(s.Settings, s.Datasets)
	if len(differ) > 0 && !allowOther {
		return fmt.Errorf("the optimizers were not tuned for this study, which has %s: give it the settings that they were tuned with, tune them for it, or add --allow-other-tuning",
			strings.Join(differ, "; "))
	}
	kept := *tuned
	kept.NotTunedFor = differ
	s.tuned, s.tuningTrials = &kept, map[string]int{}
	chosen, err := Best(tuned)
	if err != nil {
		return err
	}
	var arms []string
	for i, o := range tuned.Optimizers {
		if o.Tuning <= 1 {
			arms = append(arms, o.Optimizer)
		}
		s.tuningTrials[optim.Spec(chosen[i%tunings][i/tunings])] = len(o.Trials)
	}
	if tunings == 1 {
		s.Optimizers, s.Tunings, s.arms = chosen[0], nil, nil
	} else {
		s.Optimizers, s.Tunings, s.arms = nil, chosen, arms
	}
	return nil
}

// Best returns the optimizers that each tuning found, with their best settings.
func Best(tuned *record.Tuned) ([][]optim.Rule, error) {
	best := make([][]optim.Rule, tuned.Tunings())
	for i, o := range tuned.Optimizers {
		rule, err := optim.Texts(tuned.Rules).Parse(o.Best)
		if err != nil {
			return nil, fmt.Errorf("best trial of %s: %w", o.Label(), err)
		}
		tuning := i % len(best)
		best[tuning] = append(best[tuning], rule)
	}
	return best, nil
}

// sameRules refuses rules whose file has another text than the runs in the study's folder had.
// A single run is compared with no other.
func (s *Study) sameRules(ctx context.Context, jobs []train.Job) error {
	if len(jobs) == 1 {
		return nil
	}
	begun, err := record.BegunRuns(ctx, s.Out)
	if err != nil {
		return err
	}
	now := map[string]string{} // by the rule's own name, that in specs
	for _, job := range jobs {
		now[ruleOf(job.Rule.Name())] = job.Rule.Name()
	}
	present := func(name string) bool {
		return slices.ContainsFunc(jobs, func(job train.Job) bool { return job.Rule.Name() == name })
	}
	for _, run := range begun {
		was, _ := optim.Split(run.Optimizer)
		if is, ok := now[ruleOf(was)]; ok && is != was && optim.IsReference(was) && !present(was) {
			return fmt.Errorf("%s holds runs of the rule file %s, and the file is %s now: it has changed; take the text back that config.json of those runs has under \"rule\", or choose another folder with --out",
				s.Out, was, is)
		}
	}
	return nil
}

// ruleOf is the name of a rule in a rule file, of the name that specs have for the file.
func ruleOf(name string) string {
	rule, _, _ := strings.Cut(name, "@")
	return rule
}

// sameTuning refuses jobs whose arm the study's folder has from another tuning, or has without
// one.
func (s *Study) sameTuning(ctx context.Context, jobs []train.Job) error {
	begun, err := record.BegunRuns(ctx, s.Out)
	if err != nil {
		return err
	}
	there := map[string]record.Job{}
	seed := func(j record.Job) string { return fmt.Sprintf("%s %s %d", j.Dataset, j.Name(), j.Seed) }
	arm := func(j record.Job) string { return fmt.Sprintf("%s %s %t", j.Dataset, j.Name(), j.Tuning > 0) }
	for _, run := range begun {
		there[seed(run.Job)], there[arm(run.Job)] = run.Job, run.Job
	}
	for _, job := range jobs {
		other, same := there[seed(job.Job)]
		differ := same && (other.Optimizer != job.Optimizer || other.Tuning != job.Tuning)
		if !differ {
			untuned := job.Job
			untuned.Tuning = 1 - min(1, job.Tuning)
			other, differ = there[arm(untuned)]
		}
		if differ {
			return fmt.Errorf("%s holds a run of %s, seed %d, tuning %d, with %s; the study is to have %s from tuning %d, which does not fit (0 is for no tuning or a single one): choose another folder with --out",
				s.Out, other.Name(), other.Seed, other.Tuning, other.Optimizer, job.Optimizer, job.Tuning)
		}
	}
	return nil
}
