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
	_ = out.Write([]string{"dataset", "baseline", "rival", "metric", "n", "baseline_mean", "baseline_std",
		"rival_mean", "rival_std", "difference", "percent_change", "t_stat", "p_value"})
	for _, c := range a.Comparisons {
		for _, l := range c.Lines {
			t, p := math.NaN(), math.NaN()
			if l.Untested == nil {
				t, p = l.Test.T, l.Test.P
			}
			record := []string{c.Dataset, c.Baseline, c.Rival, l.Metric.String(), strconv.Itoa(len(c.Seeds))}
			for _, v := range []float64{mean(l.Baseline), sd(l.Baseline), mean(l.Rival), sd(l.Rival), l.Difference, l.PercentChange, t, p} {
				record = append(record, formatFloat(v))
			}
			_ = out.Write(record)
		}
	}
	out.Flush()
	return out.Error() // the first error of all writes
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
		Checks      []Check          `json:"checks,omitempty"`
	}
	jsonComparison struct {
		Dataset   string       `json:"dataset"`
		Baseline  string       `json:"baseline"`
		Rival     string       `json:"rival,omitempty"`
		N         int          `json:"n"`
		Seeds     []int        `json:"seeds"`
		LeftOut   []LeftOut    `json:"left_out,omitempty"`
		Epochs    []int        `json:"epochs,omitempty"`
		Limits    []int        `json:"limits,omitempty"` // only where a run had one
		Protocols []string     `json:"protocols,omitempty"`
		Builds    []string     `json:"builds,omitempty"`
		Metrics   []jsonMetric `json:"metrics"`
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
		Untested       string    `json:"untested,omitempty"`
	}
	jsonStats struct {
		Mean *float64 `json:"mean"`
		SD   *float64 `json:"sd"`
	}
)

func renderJSON(w io.Writer, a *Analysis) error {
	report := jsonReport{Comparisons: []jsonComparison{}, Checks: a.Checks}
	for _, c := range a.Comparisons {
		comparison := jsonComparison{
			Dataset: c.Dataset, Baseline: c.Baseline, Rival: c.Rival,
			N: len(c.Seeds), Seeds: append([]int{}, c.Seeds...),
			LeftOut: c.LeftOut, Epochs: c.Epochs, Protocols: c.Protocols, Builds: c.Builds,
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
