package train

import (
	"fmt"
	"slices"

	"diaghess/kernels"
	"diaghess/train/data"
	"diaghess/train/record"
)

// shuffle permutes order by Fisher and Yates's method with the random numbers
// of a stream at a step: draw i picks one of the first i+1 elements by the high
// half of a 64-bit product, whose bias, at most i / 2^32, is below 2e-5 for the
// sets here.
func shuffle(order []uint32, seed uint64, stream, step uint32) {
	var words [4]uint32
	for i := len(order) - 1; i > 0; i-- {
		draw := len(order) - 1 - i
		if draw%4 == 0 {
			words = kernels.Random(seed, stream, step, uint64(draw/4))
		}
		j := int(uint64(words[draw%4]) * uint64(i+1) >> 32)
		order[i], order[j] = order[j], order[i]
	}
}

// epochOrder is the order in which an epoch, counted from 0, visits pictures: a
// pure function of the seed and the epoch.
func epochOrder(pictures []uint32, seed uint64, epoch int) []uint32 {
	order := append([]uint32(nil), pictures...)
	shuffle(order, seed, kernels.RandomStream("shuffle"), uint32(epoch))
	return order
}

// holdoutPictures is how many training pictures ProtocolHoldout keeps aside; of
// sets with fewer than ten times as many, a tenth of the pictures.
const holdoutPictures = 5000

// parts are the pictures or other rows of a set that a run uses, by index.
type parts struct {
	train      []uint32
	validation []uint32
	test       []uint32 // nil where validation is the test set
	// calibration are those of train on which statistics are recomputed before each evaluation,
	// the same for every seed and arm of a set with a split of its own.
	calibration []uint32
}

// rowsOf returns the rows of a set for training and for testing: those of its own split, or those
// that a run of the seed chooses.
func rowsOf(set *data.Set, seed int) (train, test []uint32) {
	switch {
	case set.Divide != nil:
		return set.Divide(seed)
	case set.Share > 0:
		return stratified(set, seed)
	}
	all := upTo(set.Len())
	return all[:set.Len()-set.Testing], all[set.Len()-set.Testing:]
}

// stratified chooses a share of the rows of each class for testing, in an order that is a pure
// function of the seed.
func stratified(set *data.Set, seed int) (train, test []uint32) {
	order, classes := upTo(set.Len()), upTo(set.Classes)
	shuffle(order, uint64(seed), kernels.RandomStream("split"), 0)
	shuffle(classes, uint64(seed), kernels.RandomStream("split"), 1)
	left := set.TestCounts(classes)
	for _, row := range order {
		if class := set.Labels[row]; left[class] > 0 {
			left[class]--
			test = append(test, row)
		} else {
			train = append(train, row)
		}
	}
	return train, test
}

// split divides rows of a set by the settings' protocol and limit.
func split(s record.Settings, dataset string, train, test []uint32) (parts, error) {
	p := parts{train: train}
	switch s.Protocol {
	case record.ProtocolPilot:
		p.validation = test
	case record.ProtocolHoldout:
		// The same pictures for every seed and arm: runs stay comparable.
		sampled := slices.Clone(train)
		shuffle(sampled, 0, kernels.RandomStream("holdout/"+dataset), 0)
		n := min(holdoutPictures, len(train)/10)
		p.validation, p.test = sampled[:n], test
		aside := map[uint32]bool{}
		for _, i := range p.validation {
			aside[i] = true
		}
		p.train = slices.DeleteFunc(slices.Clone(train), func(i uint32) bool { return aside[i] })
	}
	if len(p.train) == 0 || len(p.validation) == 0 {
		return p, fmt.Errorf("%s has %d rows for training and %d for testing: under protocol %s these are too few: give more rows, another split or another protocol", dataset, len(train), len(test), s.Protocol)
	}
	if s.Limit > len(p.train) {
		return p, fmt.Errorf("limit %d: %s has %d training pictures under protocol %s: give at most so many", s.Limit, dataset, len(p.train), s.Protocol)
	}
	if s.Limit > 0 {
		p.train = p.train[:s.Limit]
	}
	if len(p.train)%s.Batch == 1 && normalizes(s.Model) {
		return p, fmt.Errorf("%d training pictures in batches of %d leave a last batch of 1, which the batch normalization of %s cannot use: choose another --batch or --limit", len(p.train), s.Batch, s.Model)
	}
	if n := s.Recalibrate; n > 0 {
		switch least := min(s.Batch, len(p.train)); {
		case n < least:
			return p, fmt.Errorf("statistics recomputed on %d pictures: give at least a batch, %d, with --recalibrate", n, least)
		case n > len(p.train):
			words := ""
			if n == recalibrateBatches*s.Batch {
				words = fmt.Sprintf(" (%d batches, the default)", recalibrateBatches)
			}
			return p, fmt.Errorf("statistics recomputed on %d pictures%s: the run trains on %d of %s: give at most so many with --recalibrate", n, words, len(p.train), dataset)
		case n%s.Batch == 1:
			return p, fmt.Errorf("statistics recomputed on %d pictures in batches of %d leave a last batch of 1, which batch normalization cannot use: choose another --recalibrate", n, s.Batch)
		}
		sampled := slices.Clone(p.train)
		shuffle(sampled, 0, kernels.RandomStream("recalibrate/"+dataset), 0)
		p.calibration = sampled[:n]
	}
	return p, nil
}

// StepsOf returns how many steps a job's run on its set has from its start to its end.
func StepsOf(j record.Job, set data.Status) (int, error) {
	p, err := splitOf(j.Settings, set)
	return lengthOf(j.Settings, p).Steps, err
}

// splitOf is split of as many rows as a set has. Which they are may depend on the seed.
func splitOf(s record.Settings, set data.Status) (parts, error) {
	all := upTo(set.Train + set.Test)
	return split(s, set.Name, all[:set.Train], all[set.Train:])
}

func upTo(n int) []uint32 {
	s := make([]uint32, n)
	for i := range s {
		s[i] = uint32(i)
	}
	return s
}
