package train

import (
	"diaghess/train/data"
	"diaghess/train/record"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestEpochOrderIsAPermutationOfSeedAndEpoch(t *testing.T) {
	pictures := upTo(1000)
	first := epochOrder(pictures, 1, 0)
	if sorted := slices.Sorted(slices.Values(first)); !slices.Equal(sorted, pictures) {
		t.Fatal("not a permutation")
	}
	if !slices.Equal(first, epochOrder(pictures, 1, 0)) {
		t.Error("differs from call to call")
	}
	if slices.Equal(first, epochOrder(pictures, 1, 1)) || slices.Equal(first, epochOrder(pictures, 2, 0)) {
		t.Error("does not depend on seed and epoch")
	}
}

// TestShuffleIsUniform counts the orders of 4 elements over 24,000 seeds: each
// of the 24 has a count of mean 1000 and deviation sqrt(1000 (1 - 1/24)) = 31,
// and none of them may be 5 deviations off.
func TestShuffleIsUniform(t *testing.T) {
	counts := map[[4]uint32]int{}
	for seed := range uint64(24_000) {
		order := [4]uint32{0, 1, 2, 3}
		shuffle(order[:], seed, 7, 0)
		counts[order]++
	}
	if len(counts) != 24 {
		t.Fatalf("%d orders of 4 elements", len(counts))
	}
	for order, n := range counts {
		if math.Abs(float64(n-1000)) > 5*31 {
			t.Errorf("order %v came %d times of 24000", order, n)
		}
	}
}

func TestSplit(t *testing.T) {
	s, cifar := DefaultSettings(), data.Status{Name: "cifar10", Train: 50_000, Test: 10_000}
	p, err := splitOf(s, cifar)
	if err != nil || len(p.train) != 50_000 || len(p.validation) != 10_000 || p.validation[0] != 50_000 || p.test != nil {
		t.Errorf("protocol pilot: %d, %d, %v, %v", len(p.train), len(p.validation), p.validation[0], err)
	}
	s.Protocol = record.ProtocolHoldout
	p, err = splitOf(s, cifar)
	if err != nil || len(p.train) != 45_000 || len(p.validation) != 5_000 || len(p.test) != 10_000 {
		t.Errorf("protocol holdout: %d, %d, %d, %v", len(p.train), len(p.validation), len(p.test), err)
	}
	all := slices.Sorted(slices.Values(append(slices.Clone(p.train), p.validation...)))
	if !slices.Equal(all, upTo(50_000)) {
		t.Error("training and validation pictures are not a partition")
	}
	s.Limit = 100
	if p, err = splitOf(s, cifar); err != nil || len(p.train) != 100 {
		t.Errorf("limit 100: %d pictures, %v", len(p.train), err)
	}
	s.Limit = 65
	if _, err = splitOf(s, cifar); err == nil || !strings.Contains(err.Error(), "last batch of 1") {
		t.Errorf("a last batch of 1: %v", err)
	}
	s.Limit = 45_001
	if _, err = splitOf(s, cifar); err == nil || !strings.Contains(err.Error(), "45000 training pictures") {
		t.Errorf("a limit above the set: %v", err)
	}
}
