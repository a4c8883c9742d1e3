package study

import (
	"context"
	"errors"
	"testing"

	"diaghess/train/record"
)

// Muon learns digits: after 10 epochs a network classifies 9 of 10 held-out pictures, where
// guessing would classify one. The record is bit-identical with another number of threads, and
// after an interruption within an epoch.
func TestMuonStudy(t *testing.T) {
	study := func() *Study {
		s := smallStudy(t.TempDir())
		s.Model, s.Epochs, s.Protocol, s.Library = "digitcnn", 10, record.ProtocolHoldout, ""
		s.Optimizers, s.Seeds, s.Parallel, s.Threads = rules("muon:lr=0.05"), []int{0}, 1, 1
		return s
	}
	one := study()
	want := runStudy(t, one)
	config, epochs, _ := readRun(t, one)
	if last := epochs[len(epochs)-1]; last.ValAcc < 0.9 || last.ValLoss > 0.5 {
		t.Errorf("after %d epochs Muon has an accuracy of %.3f and a loss of %.3f", len(epochs), last.ValAcc, last.ValLoss)
	}
	if config.Algorithms["update 64x64x64 forward"] == "" {
		t.Errorf("the record has no algorithms of the update: %v", config.Algorithms)
	}
	two := study()
	two.Threads = 2
	compareStudies(t, runStudy(t, two), want)

	interrupted := study()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := interrupted.Run(ctx, &stopper{steps: 50, stop: cancel}); !errors.Is(err, ErrStopped) {
		t.Fatalf("an interrupted study returned %v", err)
	}
	compareStudies(t, runStudy(t, interrupted), want)
}
