package report

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"slices"
	"strconv"

	"diaghess/train/stats"
)

// formatFloat writes the fewest digits that read back as v, without an exponent
// where a person would not use one, and nothing for a NaN, as pandas does.
func formatFloat(v float64) string {
	if math.IsNaN(v) {
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
	header := []string{"dataset", "baseline", "rival", "metric", "n"}
	for _, number := range numbers(Line{}) {
		header = append(header, number.name)
	}
	_ = out.Write(append(header, "verdict"))
	for _, c := range a.Comparisons {
		for _, l := range c.Lines {
			record := []string{c.Dataset, c.Baseline, c.Rival, l.Metric.String(), strconv.Itoa(len(c.Seeds))}
			for _, number := range numbers(l) {
				record = append(record, formatFloat(number.value))
			}
			_ = out.Write(append(record, string(l.Claim())))
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

// numbers returns all numbers of a line, always the same ones.
func numbers(l Line) []number {
	e := l.Evidence
	return []number{
		{"baseline_mean", mean(l.Baseline)},
		{"baseline_std", sd(l.Baseline)},
		{"rival_mean", mean(l.Rival)},
		{"rival_std", sd(l.Rival)},
		{"difference", l.Difference},
		{"percent_change", l.PercentChange},
		{"t_stat", orNaN(l.Untested, l.Test.T)},
		{"p_value", orNaN(l.Untested, l.Test.P)},
		{"p_holm", orNaN(l.Untested, e.HolmP)},
		{"ci_low", orNaN(e.Interval.Err, e.Interval.Result.Low)},
		{"ci_high", orNaN(e.Interval.Err, e.Interval.Result.High)},
		{"bca_low", orNaN(e.BCa.Err, e.BCa.Result.Expanded.Low)},
		{"bca_high", orNaN(e.BCa.Err, e.BCa.Result.Expanded.High)},
		{"dz", orNaN(e.Dz.Err, e.Dz.Result.Dz)},
		{"dz_low", orNaN(e.Dz.Err, e.Dz.Result.Interval.Low)},
		{"dz_high", orNaN(e.Dz.Err, e.Dz.Result.Interval.High)},
		{"wilcoxon_p", orNaN(e.Wilcoxon.Err, e.Wilcoxon.Result.P)},
		{"sign_flip_p", orNaN(e.SignFlip.Err, e.SignFlip.Result.P)},
		{"pair_correlation", orNaN(e.Pairing.Err, e.Pairing.Result.Correlation)},
		{"pairing_gain", orNaN(e.Pairing.Err, e.Pairing.Result.VarianceRatio)},
		{"sd_ratio", orNaN(e.Spread.Err, e.Spread.Result.SDRatio)},
		{"sd_p", orNaN(e.Spread.Err, e.Spread.Result.P)},
		{"sd_p_holm", orNaN(e.Spread.Err, e.SpreadP)},
		{"ratio", orNaN(e.Ratio.Err, e.Ratio.Result.Mean)},
		{"detectable", orNaN(e.Detectable.Err, e.Detectable.Result)},
	}
}

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
		Comparisons []jsonComparison `json:"comparisons"`
		Tests       int              `json:"tests"` // the family over which p_holm is adjusted
		Missing     []Missing        `json:"missing,omitempty"`
		Cautions    []string         `json:"cautions,omitempty"`
		Checks      []Check          `json:"checks,omitempty"`
	}
	jsonComparison struct {
		Dataset  string       `json:"dataset"`
		Baseline string       `json:"baseline"`
		Rival    string       `json:"rival,omitempty"`
		N        int          `json:"n"`
		Seeds    []int        `json:"seeds"`
		LeftOut  []LeftOut    `json:"left_out,omitempty"`
		Epochs   []int        `json:"epochs,omitempty"`
		Limits   []int        `json:"limits,omitempty"` // only where a run had one
		Measured []string     `json:"measured,omitempty"`
		Builds   []string     `json:"builds,omitempty"`
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
		Significance   string    `json:"significance"`
		Verdict        Claim     `json:"verdict"`
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
	report := jsonReport{Comparisons: []jsonComparison{}, Tests: a.Tests, Missing: a.Records.Missing, Cautions: a.Cautions(), Checks: a.Checks}
	for _, c := range a.Comparisons {
		comparison := jsonComparison{
			Dataset: c.Dataset, Baseline: c.Baseline, Rival: c.Rival,
			N: len(c.Seeds), Seeds: append([]int{}, c.Seeds...),
			LeftOut: c.LeftOut, Epochs: c.Epochs, Measured: measuredWords(c), Builds: c.Builds,
		}
		if !slices.Equal(c.Limits, []int{0}) {
			comparison.Limits = c.Limits
		}
		for _, l := range c.Lines {
			comparison.Metrics = append(comparison.Metrics, newJSONMetric(l))
		}
		report.Comparisons = append(report.Comparisons, comparison)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(report)
}

func newJSONMetric(l Line) jsonMetric {
	m := jsonMetric{
		Metric:         l.Metric.String(),
		HigherIsBetter: l.Metric.HigherIsBetter(),
		Baseline:       jsonStats{orNull(mean(l.Baseline)), orNull(sd(l.Baseline))},
		Rival:          jsonStats{orNull(mean(l.Rival)), orNull(sd(l.Rival))},
		Difference:     orNull(l.Difference),
		PercentChange:  orNull(l.PercentChange),
		Verdict:        l.Claim(),
		Numbers:        make(map[string]*float64),
	}
	for _, number := range numbers(l) {
		m.Numbers[number.name] = orNull(number.value)
	}
	if l.Untested != nil {
		m.Untested = l.Untested.Error()
		return m
	}
	m.T, m.DF, m.P = &l.Test.T, &l.Test.DF, &l.Test.P
	m.Significance = significance(l.Test.P)
	return m
}

// orNull returns nil, JSON's null, for a NaN.
func orNull(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}
