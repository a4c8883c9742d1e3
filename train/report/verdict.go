package report

import (
	"fmt"
	"math"

	"diaghess/train/stats"
)

// Claim is the verdict of a line on the rival.
type Claim string

const (
	Better      Claim = "better"       // the difference stands after Holm's adjustment
	Worse       Claim = "worse"        // so it does, in the bad direction
	NotSettled  Claim = "not settled"  // it is significant by itself, not after the adjustment
	NotShown    Claim = "not shown"    // it is not significant
	Exploratory Claim = "exploratory"  // too few seeds for a claim
	NotTested   Claim = "not tested"   // there is no test
	NoRival     Claim = "no other arm" // there is nothing to compare with
)

// Claim returns the verdict of the line, at the level of 5 %.
func (l Line) Claim() Claim {
	switch {
	case l.Rival.N == 0 && l.Baseline.N > 0:
		return NoRival
	case l.Untested != nil:
		return NotTested
	case stats.Exploratory(l.Test.N):
		return Exploratory
	case l.Test.P >= significantP:
		return NotShown
	case l.Evidence.HolmP >= significantP:
		return NotSettled
	case (l.Difference > 0) == l.Metric.HigherIsBetter():
		return Better
	}
	return Worse
}

// verdict says in a sentence or two what a line of a comparison shows.
func (a *Analysis) verdict(c Comparison, l Line) string {
	metric, rival, baseline := l.Metric.Title(), printable(c.Rival), printable(c.Baseline)
	if math.IsNaN(l.Difference) {
		return fmt.Sprintf("Nothing to say about %s: %s.", metric, l.Untested)
	}
	change := signed("%+.4f", l.Difference) + unit(l.Metric)
	if !math.IsNaN(l.PercentChange) {
		change += signed(", %+.2f %%", l.PercentChange)
	}
	if l.Untested != nil {
		return fmt.Sprintf("No test of %s: %s. The means differ by %s.", metric, l.Untested, change)
	}
	seeds := plural(l.Test.N, "seed")
	numbers := fmt.Sprintf("%s, 95 %% interval %s", change, intervalWords(l.Evidence.Interval.Result, "%+.4f", unit(l.Metric)))
	p := fmt.Sprintf("%s, after Holm's adjustment over %s %s", pIs(l.Test.P), plural(a.Tests, "test"), pIs(l.Evidence.HolmP))
	direction := "lower"
	if l.Difference > 0 {
		direction = "higher"
	}
	switch l.Claim() {
	case Better, Worse:
		return fmt.Sprintf("%s has a %s %s than %s, which is %s: %s (%s; %s).", rival, direction, metric, baseline, l.Claim(), numbers, p, seeds)
	case NotSettled:
		return fmt.Sprintf("%s has a %s mean %s than %s: %s (%s; %s). Alone this would count as significant; as one of %d tests it does not.",
			rival, direction, metric, baseline, numbers, p, seeds, a.Tests)
	case Exploratory:
		return fmt.Sprintf("Too few seeds for a claim about %s: %s (%s; %s).", metric, numbers, pIs(l.Test.P), seeds)
	}
	found := ""
	if l.Evidence.Detectable.Err == nil {
		found = fmt.Sprintf(", which would have found a true difference of %.4f%s with a probability of %.0f %%", l.Evidence.Detectable.Result, unit(l.Metric), 100*detectPower)
	}
	return fmt.Sprintf("No difference of %s was shown, which is not to say that there is none: %s (%s; %s%s).", metric, numbers, p, seeds, found)
}

// headline sums up the claims of a comparison.
func headline(c Comparison) string {
	groups := make(map[Claim][]string)
	for _, l := range c.Lines {
		groups[l.Claim()] = append(groups[l.Claim()], l.Metric.Title())
	}
	line := ""
	for _, g := range []struct {
		claim Claim
		words string
	}{
		{Better, "better"}, {Worse, "worse"}, {NotSettled, "not settled"}, {NotShown, "no difference shown"},
		{Exploratory, "exploratory"}, {NotTested, "not tested"},
	} {
		if list := groups[g.claim]; len(list) > 0 {
			if line != "" {
				line += "; "
			}
			line += g.words + ": " + joinWords(list)
		}
	}
	return line
}
