package report

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"

	"diaghess/train/stats"
)

// formatFloat writes the fewest digits that read back as v, without an exponent
// where a person would not use one, and nothing for what is not finite, as pandas does for
// a NaN.
func formatFloat(v float64) string {
	if !finite(v) {
		return ""
	}
	format := byte('f')
	if size := math.Abs(v); size != 0 && (size < 1e-4 || size >= 1e16) {
		format = 'e'
	}
	return strconv.FormatFloat(v, format, -1, 64)
}

// renderCSV writes the tables of an analysis as one CSV table. An empty cell is
// a number that does not exist.
func renderCSV(w io.Writer, a *Analysis) error {
	out := csv.NewWriter(w)
	header := []string{"dataset", "baseline", "rival", "metric", "role", "n"}
	for _, number := range a.numbers(Comparison{}, Line{}) {
		header = append(header, number.name)
	}
	_ = out.Write(append(header, "verdict"))
	for _, c := range a.Comparisons {
		for _, l := range c.Lines {
			record := []string{c.Dataset, c.Baseline, c.Rival, l.Metric.String(), a.role(l.Metric), strconv.Itoa(len(c.units()))}
			for _, number := range a.numbers(c, l) {
				record = append(record, formatFloat(number.value))
			}
			_ = out.Write(append(record, a.claim(c, l.Metric)))
		}
	}
	out.Flush()
	return out.Error() // the first error of all writes
}

// number is one of the numbers of a line under the name of its column.
type number struct {
	name  string
	value float64 // NaN where it does not exist
}

// role says whether verdicts are about a metric.
func (a *Analysis) role(m Metric) string {
	if m == a.Primary {
		return "primary"
	}
	return "secondary"
}

// claim is the verdict of a comparison, which is about the primary metric only.
func (a *Analysis) claim(c Comparison, m Metric) string {
	if m != a.Primary {
		return ""
	}
	return string(c.Claim())
}

// numbers returns all numbers of a line, always the same ones. Those of the evidence are of
// the primary metric, but for the ratio of times.
func (a *Analysis) numbers(c Comparison, l Line) []number {
	list := []number{
		{"baseline_mean", mean(l.Baseline)},
		{"baseline_std", sd(l.Baseline)},
		{"rival_mean", mean(l.Rival)},
		{"rival_std", sd(l.Rival)},
		{"difference", l.Difference},
		{"percent_change", l.PercentChange},
		{"t_stat", orNaN(l.Untested, l.Test.T)},
		{"p_value", orNaN(l.Untested, l.Test.P)},
		{"ci_low", orNaN(l.Interval.Err, l.Interval.Result.Low)},
		{"ci_high", orNaN(l.Interval.Err, l.Interval.Result.High)},
	}
	e, none := c.Evidence, error(nil)
	if l.Metric != a.Primary || c.Rival == "" {
		none = errNotPrimary
	}
	return append(list, []number{
		{"p_adjusted", orNaN(none, e.P)},
		{"p_holm", orNaN(none, e.HolmP)},
		{"level", orNaN(none, e.Look.Level)}, // a verdict needs a p_adjusted of at most this
		{"look", orNaN(cmp.Or(none, a.unlooked()), float64(e.Look.Units))},
		{"wins", orNaN(none, float64(e.Wins))},
		{"hodges_lehmann", orNaN(cmp.Or(none, e.HodgesLehmann.Err), e.HodgesLehmann.Result.Estimate)},
		{"wilcoxon_p", orNaN(cmp.Or(none, e.Wilcoxon.Err), e.Wilcoxon.Result.P)},
		{"interquartile_difference", orNaN(cmp.Or(none, e.Interquartile.Err), e.Interquartile.Result.Estimate)},
		{"interquartile_low", orNaN(cmp.Or(none, e.Interquartile.Err), e.Interquartile.Result.Interval.Low)},
		{"interquartile_high", orNaN(cmp.Or(none, e.Interquartile.Err), e.Interquartile.Result.Interval.High)},
		{"improvement", orNaN(cmp.Or(none, e.Improvement.Err), e.Improvement.Result.Estimate)},
		{"improvement_low", orNaN(cmp.Or(none, e.Improvement.Err), e.Improvement.Result.Interval.Low)},
		{"improvement_high", orNaN(cmp.Or(none, e.Improvement.Err), e.Improvement.Result.Interval.High)},
		{"pair_correlation", orNaN(cmp.Or(none, e.Pairing.Err), e.Pairing.Result.Correlation)},
		{"pairing_gain", orNaN(cmp.Or(none, e.Pairing.Err), e.Pairing.Result.VarianceRatio)},
		{"spread_ratio", orNaN(cmp.Or(none, e.Spread.Err), e.Spread.Result.Ratio)},
		{"spread_p", orNaN(cmp.Or(none, e.Spread.Err), e.Spread.Result.P)},
		{"detectable", orNaN(cmp.Or(none, e.Detectable.Err), e.Detectable.Result)},
		{"failures_p", orNaN(none, c.Failures.P)},
		{"time_ratio", orNaN(cmp.Or(none, e.Time.Err), e.Time.Result.Mean)},
	}...)
}

var errNotPrimary = errors.New("it is of the primary metric only")

// orNaN returns v, or NaN where an error says that there is none.
func orNaN(err error, v float64) float64 {
	if err != nil {
		return math.NaN()
	}
	return v
}

// mean returns a summary's mean, NaN where it is of no values.
func mean(s stats.Summary) float64 {
	if s.N == 0 {
		return math.NaN()
	}
	return s.Mean
}

// sd returns a summary's standard deviation, NaN where it is of fewer than two values.
func sd(s stats.Summary) float64 {
	if s.N == 0 {
		return math.NaN()
	}
	return s.SD
}

// The JSON rendering. A number that does not exist is null.
type (
	jsonReport struct {
		Question    string           `json:"question"`
		Answer      string           `json:"answer"`
		Planned     bool             `json:"planned"`
		Standing    string           `json:"standing"` // whether it was planned, in words
		Primary     string           `json:"primary_metric"`
		Method      string           `json:"method"`
		Cells       int              `json:"cells"` // the family over which p_adjusted and intervals hold
		Looks       []stats.Look     `json:"looks,omitempty"`
		Reached     int              `json:"looks_reached,omitempty"`
		Comparisons []jsonComparison `json:"comparisons"`
		Missing     []Missing        `json:"missing,omitempty"`
		Cautions    []string         `json:"cautions,omitempty"`
		Checks      []Check          `json:"checks,omitempty"`
	}
	jsonComparison struct {
		Dataset  string       `json:"dataset"`
		Baseline string       `json:"baseline"`
		Rival    string       `json:"rival,omitempty"`
		N        int          `json:"n"` // of units: tunings where there are some, else seeds
		Tunings  []Tuning     `json:"tunings,omitempty"`
		Seeds    []int        `json:"seeds"`
		LeftOut  []LeftOut    `json:"left_out,omitempty"`
		Epochs   []int        `json:"epochs,omitempty"`
		Limits   []int        `json:"limits,omitempty"` // only where a run had one
		Measured []string     `json:"measured,omitempty"`
		Builds   []string     `json:"builds,omitempty"`
		Verdict  Claim        `json:"verdict"` // about the primary metric
		Metrics  []jsonMetric `json:"metrics"`
	}
	jsonMetric struct {
		Metric         string    `json:"metric"`
		HigherIsBetter bool      `json:"higher_is_better"`
		Baseline       jsonStats `json:"baseline_stats"`
		Rival          jsonStats `json:"rival_stats"`
		Difference     *float64  `json:"difference"`
		PercentChange  *float64  `json:"percent_change"`
		T              *float64  `json:"t"`
		DF             *float64  `json:"df"`
		P              *float64  `json:"p"`
		Role           string    `json:"role"`
		// Numbers are those of the CSV rendering, by their columns.
		Numbers  map[string]*float64 `json:"numbers"`
		Untested string              `json:"untested,omitempty"`
	}
	jsonStats struct {
		Mean *float64 `json:"mean"`
		SD   *float64 `json:"sd"`
	}
)

func renderJSON(w io.Writer, a *Analysis) error {
	report := jsonReport{Question: a.question(), Answer: a.Answer(), Primary: a.Primary.String(), Method: a.methodNote(), Cells: a.Cells, Looks: a.Looks, Reached: a.Reached,
		Comparisons: []jsonComparison{}, Missing: a.Records.Missing, Cautions: a.Cautions(), Checks: a.Checks}
	report.Planned, report.Standing = a.standing()
	for _, c := range a.Comparisons {
		comparison := jsonComparison{
			Dataset: c.Dataset, Baseline: c.Baseline, Rival: c.Rival,
			N: len(c.units()), Tunings: c.Tunings, Seeds: append([]int{}, c.Seeds...),
			LeftOut: c.LeftOut, Epochs: c.Epochs, Measured: measuredWords(c), Builds: c.Builds, Verdict: c.Claim(),
		}
		if !slices.Equal(c.Limits, []int{0}) {
			comparison.Limits = c.Limits
		}
		for _, l := range c.Lines {
			comparison.Metrics = append(comparison.Metrics, a.newJSONMetric(c, l))
		}
		report.Comparisons = append(report.Comparisons, comparison)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(report)
}

func (a *Analysis) newJSONMetric(c Comparison, l Line) jsonMetric {
	m := jsonMetric{
		Metric:         l.Metric.String(),
		HigherIsBetter: l.Metric.HigherIsBetter(),
		Baseline:       jsonStats{orNull(mean(l.Baseline)), orNull(sd(l.Baseline))},
		Rival:          jsonStats{orNull(mean(l.Rival)), orNull(sd(l.Rival))},
		Difference:     orNull(l.Difference),
		PercentChange:  orNull(l.PercentChange),
		Role:           a.role(l.Metric),
		Numbers:        make(map[string]*float64),
	}
	for _, number := range a.numbers(c, l) {
		m.Numbers[number.name] = orNull(number.value)
	}
	if l.Untested != nil {
		m.Untested = l.Untested.Error()
		return m
	}
	m.T, m.DF, m.P = &l.Test.T, &l.Test.DF, &l.Test.P
	return m
}

// orNull returns nil, JSON's null, for what is not finite.
func orNull(v float64) *float64 {
	if !finite(v) {
		return nil
	}
	return &v
}
