package optim

import (
	"fmt"
	"math"
)

// Length is the length of a run in steps.
type Length struct {
	Steps         int // of the whole run
	StepsPerEpoch int
}

// Schedule is a learning rate and its change over a run:
//
//	constant  LR
//	cosine    LR times (1 + cos(pi s)) / 2, s from 0 to 1 over the steps after
//	          the warm-up: Loshchilov and Hutter 2017 without restarts
//	step      LR times Factor^(whole multiples of Every epochs done)
//
// Each follows a linear warm-up over the first Warmup epochs, in which step i of n has
// i/n of the schedule's first rate.
type Schedule struct {
	LR     float64
	Kind   string  // constant, cosine or step
	Warmup float64 // epochs
	Every  float64 // epochs
	Factor float64
}

// Schedules returns the kinds of schedule.
func Schedules() []string { return []string{"constant", "cosine", "step"} }

// schedule makes a Schedule with the defaults for a rule's learning rate.
func schedule(lr float64) Schedule {
	return Schedule{LR: lr, Kind: "constant", Every: 30, Factor: 0.1}
}

// tunables are the keys that every rule has.
func (s *Schedule) tunables() []tunable {
	return []tunable{
		positive("lr", "learning rate", &s.LR),
		choice("schedule", "change of the learning rate", &s.Kind, Schedules()),
		nonNegative("warmup", "epochs of linear warm-up", &s.Warmup),
		positive("step-every", "epochs between the steps of schedule=step", &s.Every),
		positive("step-factor", "factor of the rate at a step of schedule=step", &s.Factor),
	}
}

// Rates returns the learning rate of each step of a run: run.Steps numbers. It returns an
// error if the warm-up is longer than the run.
func (s *Schedule) Rates(run Length) ([]float32, error) {
	warmup := int(math.Round(s.Warmup * float64(run.StepsPerEpoch)))
	if warmup > run.Steps {
		return nil, fmt.Errorf("a warm-up of %g epochs is longer than the run of %d steps", s.Warmup, run.Steps)
	}
	rates := make([]float32, run.Steps)
	for i := range rates {
		rate := s.LR
		switch {
		case i < warmup:
			rate *= float64(i+1) / float64(warmup)
		case s.Kind == "cosine":
			rate *= (1 + math.Cos(math.Pi*float64(i-warmup)/float64(run.Steps-warmup))) / 2
		case s.Kind == "step":
			rate *= math.Pow(s.Factor, math.Floor(float64(i)/(s.Every*float64(run.StepsPerEpoch))))
		}
		rates[i] = float32(rate)
	}
	return rates, nil
}
