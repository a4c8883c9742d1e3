package record

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Endpoint is what a run's outcome is computed from: EndpointLast, EndpointBest, or
// "mean-last-K" for a whole number K.
type Endpoint string

const (
	// EndpointLast is the last epoch, the pilot's.
	EndpointLast Endpoint = "last"
	// EndpointBest is the epoch of the best validation accuracy, of equal ones that of the lower
	// loss, and of these the first. It is for the holdout protocol: elsewhere it chooses by the
	// pictures that it is then measured on.
	EndpointBest Endpoint = "best-val"
)

// meanLast is what an endpoint begins with that is a mean over the last epochs.
const meanLast = "mean-last-"

// DefaultEndpoint is the endpoint of a protocol, unless another is chosen.
func DefaultEndpoint(protocol string) Endpoint {
	if protocol == ProtocolPilot {
		return EndpointLast
	}
	return meanLast + "5"
}

// counted returns over how many of the last epochs the endpoint is a mean, 0 where it is none.
func (e Endpoint) counted() (epochs int, ok bool) {
	number, found := strings.CutPrefix(string(e), meanLast)
	n, err := strconv.Atoi(number)
	return n, found && err == nil && n > 0 && number == strconv.Itoa(n)
}

// Check returns an error for what is no endpoint.
func (e Endpoint) Check() error {
	if _, ok := e.counted(); ok || e == EndpointLast || e == EndpointBest {
		return nil
	}
	return errors.New("last, best-val, or mean-last-K with a whole number K from 1 on, such as mean-last-5")
}

// Outcome is what the epochs of a run come to.
type Outcome struct {
	ValLoss, ValAcc, F1 float64
	Epoch               int // from 1, that the outcome is of; 0 where it is a mean
}

// Of computes the outcome of a run from its epochs. A mean is over all of them where there
// are fewer than it is of. Without epochs, all is zero. It panics for what is no endpoint.
func (e Endpoint) Of(epochs []Epoch) (o Outcome) {
	if err := e.Check(); err != nil {
		panic(fmt.Sprintf("record: endpoint %q is not %v", string(e), err))
	}
	if len(epochs) == 0 {
		return o
	}
	if n, ok := e.counted(); ok {
		n = min(n, len(epochs))
		for _, epoch := range epochs[len(epochs)-n:] {
			o.ValLoss += epoch.ValLoss
			o.ValAcc += epoch.ValAcc
			o.F1 += epoch.F1
		}
		o.ValLoss, o.ValAcc, o.F1 = o.ValLoss/float64(n), o.ValAcc/float64(n), o.F1/float64(n)
		return o
	}
	at := len(epochs) - 1
	if e == EndpointBest {
		at = 0
		for i, epoch := range epochs {
			if best := epochs[at]; epoch.ValAcc > best.ValAcc || epoch.ValAcc == best.ValAcc && epoch.ValLoss < best.ValLoss {
				at = i
			}
		}
	}
	return Outcome{epochs[at].ValLoss, epochs[at].ValAcc, epochs[at].F1, epochs[at].Epoch}
}

// Tested is the endpoint of the test set, which is looked at once, with one set of weights:
// EndpointBest, or EndpointLast also for a mean over epochs.
func (e Endpoint) Tested() Endpoint {
	if e == EndpointBest {
		return e
	}
	return EndpointLast
}

// Words says when a run of so many epochs was measured: "after the last epoch".
func (e Endpoint) Words(epochs int) string {
	n, mean := e.counted()
	switch n = min(n, epochs); {
	case mean && n > 1:
		return fmt.Sprintf("as the mean over the last %d epochs", n)
	case e == EndpointBest:
		return "after the epoch of the best validation accuracy"
	}
	return "after the last epoch"
}

// Average is whether a run evaluates averaged weights: AverageNone, or "ema=DECAY" for an
// exponential moving average over the steps with a decay between 0 and 1.
type Average string

// AverageNone evaluates the weights as training left them.
const AverageNone Average = "none"

// Decay returns the decay of an exponential moving average, false without one.
func (a Average) Decay() (decay float64, ok bool) {
	number, found := strings.CutPrefix(string(a), "ema=")
	decay, err := strconv.ParseFloat(number, 64)
	if !found || err != nil || !(decay > 0 && decay < 1) || number != strconv.FormatFloat(decay, 'g', -1, 64) {
		return 0, false
	}
	return decay, true
}

// Check returns an error for what is no average.
func (a Average) Check() error {
	if _, ok := a.Decay(); ok || a == AverageNone {
		return nil
	}
	return errors.New("none, or ema=DECAY with a number above 0 and below 1, such as ema=0.999")
}

// ParseAverage reads an average as a user writes it, with its decay in any form.
func ParseAverage(text string) (Average, error) {
	a := Average(text)
	if number, found := strings.CutPrefix(text, "ema="); found && !strings.ContainsAny(number, "_xX") { // as programs write numbers
		if decay, err := strconv.ParseFloat(number, 64); err == nil {
			a = Average("ema=" + strconv.FormatFloat(decay, 'g', -1, 64))
		}
	}
	if err := a.Check(); err != nil {
		return "", fmt.Errorf("%q is unknown: give %w", text, err)
	}
	return a, nil
}
