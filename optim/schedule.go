package optim

import (
	"fmt"
	"math"
	"math/big"
	"strconv"

	"diaghess/nearest/keys"
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

func (s *Schedule) schedule() *Schedule { return s }

// keys are those that every rule has.
func (s *Schedule) keys() []keys.Key {
	const stepped = "schedule=step"
	isStep := func() bool { return s.Kind == "step" }
	return []keys.Key{
		keys.Positive("lr", "learning rate", &s.LR),
		keys.Choice("schedule", "change of the learning rate", &s.Kind, Schedules()),
		keys.NonNegative("warmup", "epochs of linear warm-up", &s.Warmup),
		keys.Positive("step-every", "epochs between the steps of schedule=step", &s.Every).When(stepped, isStep),
		keys.Positive("step-factor", "factor of the rate at a step of schedule=step", &s.Factor).When(stepped, isStep),
	}
}

// check returns an error if the schedule does not fit a run.
func (s *Schedule) check(run Length) error {
	if _, ok := warmupSteps(s.Warmup, run); !ok {
		return fmt.Errorf("a warm-up of %g epochs is longer than the run of %d steps: choose a smaller warmup or more epochs", s.Warmup, run.Steps)
	}
	return nil
}

// Rates returns the learning rate of each step of a run: run.Steps numbers. Epochs turn
// into steps by exact decimal arithmetic; a warm-up is rounded to whole steps, halves up.
// It returns an error if the warm-up is longer than the run.
func (s *Schedule) Rates(run Length) ([]float64, error) {
	if err := s.check(run); err != nil {
		return nil, err
	}
	warmup, _ := warmupSteps(s.Warmup, run)
	period := inSteps(s.Every, run)
	rates := make([]float64, run.Steps)
	for i := range rates {
		rate := s.LR
		switch {
		case i < warmup:
			rate *= float64(i+1) / float64(warmup)
		case s.Kind == "cosine":
			rate *= (1 + math.Cos(math.Pi*float64(i-warmup)/float64(run.Steps-warmup))) / 2
		case s.Kind == "step":
			rate *= math.Pow(s.Factor, wholePeriods(i, period))
		}
		rates[i] = rate
		if math.IsInf(float64(float32(rate)), 0) {
			return nil, fmt.Errorf("the learning rate of step %d of %d is %.3g, more than float32 holds: give a smaller step-factor or a larger step-every", i+1, run.Steps, rate)
		}
	}
	return rates, nil
}

// inSteps returns the steps of so many epochs, as the exact product of the decimal number
// that a user writes: 1.1 epochs of 10 steps are 11, while 1.1*10 is more in float64.
func inSteps(epochs float64, run Length) *big.Rat {
	product, ok := new(big.Rat).SetString(strconv.FormatFloat(epochs, 'g', -1, 64))
	if !ok {
		panic(fmt.Sprintf("optim: a schedule of %g epochs", epochs))
	}
	return product.Mul(product, new(big.Rat).SetInt64(int64(run.StepsPerEpoch)))
}

// warmupSteps returns the steps of a warm-up, or false if it is longer than the run.
func warmupSteps(epochs float64, run Length) (int, bool) {
	steps := inSteps(epochs, run)
	steps.Add(steps, big.NewRat(1, 2))
	if steps.Cmp(new(big.Rat).SetInt64(int64(run.Steps)+1)) >= 0 {
		return 0, false
	}
	return int(new(big.Int).Quo(steps.Num(), steps.Denom()).Int64()), true
}

// wholePeriods returns how many whole periods have passed before a step, counted from 0.
func wholePeriods(step int, period *big.Rat) float64 {
	n := new(big.Int).Mul(big.NewInt(int64(step)), period.Denom())
	whole, _ := new(big.Float).SetInt(n.Quo(n, period.Num())).Float64()
	return whole
}
