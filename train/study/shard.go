package study

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"diaghess/train"
	"diaghess/train/data"
	"diaghess/train/record"
)

// Divide returns for each job the shard, of n, that trains it. Jobs of one dataset, seed and
// tuning stay together, because they are compared with each other. Such units go to the shards one
// by one, those that cost most first, each to the shard with the least to do. All shards compute
// the same.
func Divide(jobs []record.Job, n int) ([]int, error) {
	type unit struct {
		dataset      string
		tuning, seed int
	}
	of := func(j record.Job) unit { return unit{j.Dataset, j.Tuning, j.Seed} }
	each, cost := costs(jobs), map[unit]float64{}
	var units []unit
	for _, job := range jobs {
		u := of(job)
		if cost[u] == 0 {
			units = append(units, u)
		}
		cost[u] += each[job.Dataset]
	}
	if n > len(units) {
		return nil, fmt.Errorf("%s of %s, which are the runs of one dataset and seed, and of one tuning: use at most %d shards", record.Plural(n, "shard"), record.Plural(len(units), "unit"), len(units))
	}
	slices.SortStableFunc(units, func(a, b unit) int { return cmp.Compare(cost[b], cost[a]) })
	load, shardOf := make([]float64, n), map[unit]int{}
	for _, u := range units {
		least := 0
		for shard := range load {
			if load[shard] < load[least] {
				least = shard
			}
		}
		shardOf[u] = least
		load[least] += cost[u]
	}
	shards := make([]int, len(jobs))
	for i, job := range jobs {
		shards[i] = shardOf[of(job)]
	}
	return shards, nil
}

// costs are what a run on each dataset takes beside those on the others, in which all else is the
// same: the time of a step is about proportional to the area of a picture, and else to the batch.
// Where a dataset is not of the catalogue, nobody but who has it knows its shape: all cost 1.
func costs(jobs []record.Job) map[string]float64 {
	each, known := map[string]float64{}, true
	for _, job := range jobs {
		if each[job.Dataset] > 0 {
			continue
		}
		steps, set := 0, data.Status{}
		var err error
		if set, err = data.Describe(job.Dataset); err == nil {
			steps, err = train.StepsOf(job, set)
		}
		known = known && err == nil
		each[job.Dataset] = float64(max(1, steps*set.Height*set.Width))
	}
	if !known {
		for name := range each {
			each[name] = 1
		}
	}
	return each
}

// mine returns the jobs of the study's shard, all without one.
func (s *Study) mine(jobs []train.Job) ([]train.Job, error) {
	if s.Shard.Of == 0 {
		return jobs, nil
	}
	shards, err := Divide(records(jobs), s.Shard.Of)
	var own []train.Job
	for i, job := range jobs {
		if err == nil && shards[i] == s.Shard.Index {
			own = append(own, job)
		}
	}
	return own, err
}

// CheckShard says why the study's shard cannot be where it is to be.
func (s *Study) CheckShard() error {
	if s.Shard.Of == 0 {
		return record.CheckMerged(s.Out)
	}
	if len(s.Intent.Looks) > 0 {
		return errors.New("a study with looks, as --until decided plans them, has no shards: a look needs the results of all; leave out --shard or the looks")
	}
	jobs, err := s.Jobs()
	if err != nil {
		return err
	}
	if _, err := s.mine(jobs); err != nil {
		return err
	}
	plan, err := record.ReadPlan(filepath.Join(s.Out, record.PlanFile))
	if err == nil && plan == nil && len(s.Arms()) > 1 {
		plan, err = s.plan()
	}
	if err != nil {
		return err
	}
	files, err := record.PlanFiles(records(jobs), plan, s.tuned)
	if err != nil {
		return err
	}
	return record.CheckShard(filepath.Dir(s.Out), "", s.Shard, files)
}
