package train

import (
	"fmt"

	"diaghess/kernels"
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

// HoldoutPictures is how many training pictures ProtocolHoldout keeps aside; of
// sets with fewer than ten times as many, a tenth of the pictures.
const HoldoutPictures = 5000

// parts are the pictures of a set that a run uses, by index.
type parts struct {
	train      []uint32 // of the training set
	validation []uint32 // of the training set or, with validateOnTest, of the test set
	test       []uint32 // of the test set; nil where validation is that
	// validateOnTest says that validation indexes the test set.
	validateOnTest bool
}

// split divides a set of the given sizes by the settings' protocol and limit.
func split(s record.Settings, dataset string, training, test int) (parts, error) {
	p := parts{train: upTo(training)}
	switch s.Protocol {
	case record.ProtocolPilot:
		p.validation, p.validateOnTest = upTo(test), true
	case record.ProtocolHoldout:
		// The same pictures for every seed and arm: runs stay comparable.
		drawn := upTo(training)
		shuffle(drawn, 0, kernels.RandomStream("holdout/"+dataset), 0)
		n := min(HoldoutPictures, training/10)
		p.validation, p.test = drawn[:n], upTo(test)
		aside := make([]bool, training)
		for _, i := range p.validation {
			aside[i] = true
		}
		p.train = p.train[:0]
		for i := range training {
			if !aside[i] {
				p.train = append(p.train, uint32(i))
			}
		}
	}
	if s.Limit > len(p.train) {
		return p, fmt.Errorf("limit %d: %s has %d training pictures under protocol %s", s.Limit, dataset, len(p.train), s.Protocol)
	}
	if s.Limit > 0 {
		p.train = p.train[:s.Limit]
	}
	if left := len(p.train) % s.Batch; left == 1 {
		return p, fmt.Errorf("%d training pictures in batches of %d leave a last batch of 1, which batch normalization cannot use: choose another --batch or --limit", len(p.train), s.Batch)
	}
	return p, nil
}

func upTo(n int) []uint32 {
	s := make([]uint32, n)
	for i := range s {
		s[i] = uint32(i)
	}
	return s
}
