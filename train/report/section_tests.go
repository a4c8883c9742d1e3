package report

import (
	"fmt"
	"math"

	"diaghess/train/stats"
)

func (a *Analysis) otherTestSection() section {
	s := section{
		title: "Other tests of the same pairs",
		paragraphs: []string{"They do not assume that differences are normal. A conclusion that stands on one of them alone does not stand. " +
			"Their p values are not adjusted: they are another look at the same questions, not more questions."},
	}
	s.tables = a.perMetric(
		func(Comparison) []string {
			return []string{"p (t-test)", "p (Wilcoxon)", "p (sign-flip)", "95 % interval (t)", "95 % interval (BCa)", "dz (95 % interval)"}
		},
		func(_ Comparison, l Line, reasons *footnotes) []string {
			e := l.Evidence
			interval := func(i stats.Interval) string { return intervalWords(i, "%+.4f", unit(l.Metric)) }
			return []string{
				reasons.cell(l.Untested, func() string { return pValue(l.Test.P) }),
				reasons.cell(e.Wilcoxon.Err, func() string { return pValue(e.Wilcoxon.Result.P) }),
				reasons.cell(e.SignFlip.Err, func() string { return pValue(e.SignFlip.Result.P) }),
				reasons.cell(e.Interval.Err, func() string { return interval(e.Interval.Result) }),
				reasons.cell(e.BCa.Err, func() string { return interval(e.BCa.Result.Expanded) }),
				reasons.cell(e.Dz.Err, func() string { return dzWords(e) }),
			}
		})
	for i, c := range a.compared() {
		s.tables[i].notes = append(s.tables[i].notes, testNotes(c)...)
	}
	return s.unlessEmpty()
}

// testNotes says how the p values without a distribution came about.
func testNotes(c Comparison) []string {
	var lines []string
	if p := stats.SmallestExactP(len(c.Seeds)); p >= significantP && len(c.Seeds) >= stats.MinPairs {
		lines = append(lines, fmt.Sprintf("With %d pairs neither Wilcoxon's nor the sign-flip test can have a p below %g, however large the difference: they cannot reach 5 %%.", len(c.Seeds), p))
	}
	for _, l := range c.Lines {
		if r := l.Evidence.SignFlip; r.Err == nil && r.Result.Draws > 0 {
			lines = append(lines, fmt.Sprintf("The sign-flip test drew %d of the 2^%d sign patterns.", r.Result.Draws, r.Result.N))
			break
		}
	}
	for _, l := range c.Lines {
		if r := l.Evidence.Wilcoxon; r.Err == nil && !r.Result.Exact {
			lines = append(lines, "Wilcoxon's p is of the normal approximation.")
			break
		}
	}
	return lines
}

func (a *Analysis) pairingSection() section {
	s := section{
		title: "What pairing bought",
		paragraphs: []string{"Both arms of a pair share the seed. The more alike their results, the less a difference between arms is blurred by luck. " +
			"The gain is how many times as large the variance of the mean difference would be if every run had a seed of its own; below 1, pairing has cost something."},
	}
	s.tables = a.perMetric(
		func(Comparison) []string {
			return []string{"Correlation of the pairs (95 % interval)", "p", "Gain", "Seeds an arm for the same without pairs"}
		},
		func(_ Comparison, l Line, reasons *footnotes) []string {
			p := l.Evidence.Pairing
			return []string{
				reasons.cell(p.Err, func() string {
					return fmt.Sprintf("%s (%s)", signed("%+.2f", p.Result.Correlation), intervalWords(p.Result.Interval, "%+.2f", ""))
				}),
				reasons.cell(p.Err, func() string { return pValue(p.Result.P) }),
				reasons.cell(p.Err, func() string { return fmt.Sprintf("%.2f", p.Result.VarianceRatio) }),
				reasons.cell(p.Err, func() string { return fmt.Sprintf("%.1f", p.Result.UnpairedSeeds) }),
			}
		})
	return s.unlessEmpty()
}

func (a *Analysis) spreadSection() section {
	s := section{
		title: "Does one arm vary more?",
		paragraphs: []string{fmt.Sprintf("Standard deviations over the seeds, compared by the Pitman-Morgan test for pairs. It is exact for normal results only: "+
			"of results with longer tails it finds differences that are not there. p (Holm) is adjusted within these tests alone, %d in all.", a.SpreadTests)},
	}
	s.tables = a.perMetric(
		func(c Comparison) []string {
			return []string{printable(c.Baseline) + " SD", printable(c.Rival) + " SD", "Ratio (95 % interval)", "p", "p (Holm)"}
		},
		func(_ Comparison, l Line, reasons *footnotes) []string {
			e := l.Evidence.Spread
			deviation := func(s stats.Summary) string {
				return reasons.cell(tooFew(s), func() string { return fmt.Sprintf("%.4f%s", s.SD, unit(l.Metric)) })
			}
			return []string{
				deviation(l.Baseline),
				deviation(l.Rival),
				reasons.cell(e.Err, func() string {
					return fmt.Sprintf("%.2f (%s)", e.Result.SDRatio, intervalWords(e.Result.Interval, "%.2f", ""))
				}),
				reasons.cell(e.Err, func() string { return pValue(e.Result.P) }),
				reasons.cell(e.Err, func() string { return pValue(l.Evidence.SpreadP) }),
			}
		})
	return s.unlessEmpty()
}

// tooFew says why a sample has no standard deviation, or nil.
func tooFew(s stats.Summary) error {
	switch s.N {
	case 0:
		return errNoPair
	case 1:
		return errOneRun
	}
	return nil
}

// plannedSeeds are numbers of seeds that a study may have.
func plannedSeeds() []int { return []int{5, 10, 20, 40} }

func (a *Analysis) powerSection() section {
	s := section{
		title: "What so many seeds can find",
		paragraphs: []string{fmt.Sprintf("The smallest true difference that a paired t-test at 5 %% finds with a probability of %.0f %%, if differences spread as they did here. "+
			"It is for one test alone; adjusted for several, differences must be larger. Where no difference was shown, one below this may well exist.", 100*detectPower)},
	}
	counts := func(c Comparison) []int { return distinct(append(plannedSeeds(), len(c.Seeds))) }
	s.tables = a.perMetric(
		func(c Comparison) []string {
			header := []string{"Δ observed", "SD of the differences"}
			for _, n := range counts(c) {
				if n >= stats.MinPairs {
					header = append(header, seedsHeader(n, c))
				}
			}
			return header
		},
		func(c Comparison, l Line, reasons *footnotes) []string {
			number := func(v float64) string { return fmt.Sprintf("%.4f%s", v, unit(l.Metric)) }
			row := []string{
				observed(l, reasons),
				reasons.cell(l.Untested, func() string { return number(l.Test.SDDifference) }),
			}
			for _, n := range counts(c) {
				if n >= stats.MinPairs {
					smallest, err := detectable(l, n)
					row = append(row, reasons.cell(err, func() string { return number(smallest) }))
				}
			}
			return row
		})
	return s.unlessEmpty()
}

func observed(l Line, reasons *footnotes) string {
	if math.IsNaN(l.Difference) {
		return reasons.cite(l.Untested)
	}
	return signed("%+.4f", l.Difference) + unit(l.Metric)
}

func seedsHeader(n int, c Comparison) string {
	if n == len(c.Seeds) {
		return fmt.Sprintf("%d seeds (this study)", n)
	}
	return fmt.Sprintf("%d seeds", n)
}

// unlessEmpty returns a section, without its words where it has no table.
func (s section) unlessEmpty() section {
	if len(s.tables) == 0 {
		s.paragraphs = nil
	}
	return s
}
