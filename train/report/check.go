package report

import (
	"fmt"
	"math"
	"net/url"
	"path/filepath"
	"strings"

	"diaghess/train/record"
	"diaghess/train/stats"
)

// Check is the result of comparing a summary or t-test file with the rows of an analysis.
type Check struct {
	Path     string   `json:"path"`
	Numbers  int      `json:"numbers"`            // how many numbers the file states
	Note     string   `json:"note,omitempty"`     // what to know about a file that agrees; may be empty
	Problems []string `json:"problems,omitempty"` // a line for each number that does not agree or cannot be checked
}

// tolerance is how far a stated number may be from the recomputed one, relative
// to it. Another program's order of summation and formulas move the last few of
// 16 digits; a mean and a deviation move by about n·2⁻⁵², and a p, which
// follows t with a power of up to n, by n times as much: 1e-9 has room for
// thousands of seeds and for no change in a digit that anybody prints.
const tolerance = 1e-9

// Check compares the numbers of a summary or t-test file with those recomputed
// from the rows, adds the outcome to a.Checks and returns it.
//
// A summary states the mean and standard deviation over all finished runs of an
// optimizer, also of those that have no partner. A t-test file does not say
// which optimizers it compares. Those are the baseline and the data set's only
// rival, or the rival in the file's name if there are several (see [WriteCSV]). A file
// with the opposite sign in every t compares the baseline with the rival: it agrees, and
// a note says so.
func (a *Analysis) Check(f File) Check {
	check := Check{Path: f.Path, Numbers: len(f.Statistics)}
	check.Problems = a.problems(f, 1)
	if len(check.Problems) > 0 && len(a.problems(f, -1)) == 0 {
		check.Problems = nil
		check.Note = fmt.Sprintf("with the sign of t turned round: it compares %s with the rival", printable(a.Optimizers[0]))
	}
	a.Checks = append(a.Checks, check)
	return check
}

// problems checks every number of a file whose t statistics count with a sign.
func (a *Analysis) problems(f File, sign float64) []string {
	var problems []string
	for _, s := range f.Statistics {
		want, scale, err := a.recompute(f.Path, s)
		stated := s.Value
		if s.Name == "t_stat" {
			stated *= sign
		}
		switch {
		case err != nil:
			problems = append(problems, fmt.Sprintf("line %d: %s cannot be checked: %v", s.Line, s.label(), err))
		case math.IsNaN(stated) && math.IsNaN(want):
		case math.Abs(stated-want) <= tolerance*max(math.Abs(want), scale):
		default:
			problems = append(problems, fmt.Sprintf("line %d: %s is %s in the file, %s recomputed", s.Line, s.label(), numberOrNone(s.Value), numberOrNone(want)))
		}
	}
	return problems
}

// recompute returns what a statistic should be (NaN where it does not exist)
// and the scale, beside its own size, that rounding errors are measured on.
func (a *Analysis) recompute(path string, s Statistic) (want, scale float64, err error) {
	metric, ok := metricNamed(s.Metric)
	if !ok {
		return 0, 0, fmt.Errorf("%q is not a metric", s.Metric)
	}
	if s.Optimizer != "" {
		summary, err := a.summary(s.Dataset, s.Optimizer, metric)
		if err != nil {
			return 0, 0, err
		}
		if s.Name == "mean" {
			return summary.Mean, 0, nil
		}
		return summary.SD, math.Abs(summary.Mean), nil
	}
	line, err := a.testedLine(path, s.Dataset, metric)
	if err != nil {
		return 0, 0, err
	}
	switch {
	case line.Untested != nil:
		return math.NaN(), 0, nil
	case s.Name == "p_value":
		return line.Test.P, 0, nil
	}
	// t is measured in standard errors, so 1 is the scale on which a t near zero is rounded.
	return line.Test.T, 1, nil
}

func metricNamed(name string) (Metric, bool) {
	for _, m := range Metrics() {
		if m.String() == name {
			return m, true
		}
	}
	return 0, false
}

// summary describes a metric over all usable runs of an optimizer on a data set.
func (a *Analysis) summary(dataset, optimizer string, m Metric) (stats.Summary, error) {
	var rows []Row
	for _, r := range a.Rows {
		if r.Dataset == dataset && r.Optimizer == optimizer && r.unusable() == "" {
			rows = append(rows, r)
		}
	}
	if len(rows) == 0 {
		return stats.Summary{}, fmt.Errorf("there is no finished run of %q on %q", optimizer, dataset)
	}
	return stats.Describe(values(m, rows))
}

// testedLine returns the comparison that a t-test file speaks of.
func (a *Analysis) testedLine(path, dataset string, m Metric) (Line, error) {
	var candidates []Comparison
	for _, c := range a.Comparisons {
		if c.Dataset == dataset && c.Rival != "" {
			candidates = append(candidates, c)
		}
	}
	if len(candidates) == 0 {
		return Line{}, fmt.Errorf("there are no two optimizers to compare on %q", dataset)
	}
	for _, c := range candidates {
		if len(candidates) == 1 || testFileRival(path) == c.Rival {
			return c.Lines[m], nil
		}
	}
	return Line{}, fmt.Errorf("%q has %d rivals and the file does not say which it is about; name it as in %s", dataset, len(candidates), testFileName(candidates[0].Rival))
}

// testFileName is the name of the t-test file of one of several rivals. The
// escaping keeps separators out of it and different rivals apart.
func testFileName(rival string) string {
	return "ttest-" + record.ShortName(url.QueryEscape(rival)) + ".csv"
}

// testFileRival returns the rival in a t-test file's name, "" where there is none.
func testFileRival(path string) string {
	name, named := strings.CutPrefix(strings.TrimSuffix(filepath.Base(path), ".csv"), "ttest-")
	rival, err := url.QueryUnescape(name)
	if !named || err != nil {
		return ""
	}
	return record.CurrentSpec(rival)
}

func (s Statistic) label() string {
	names := []string{printable(s.Dataset)}
	if s.Optimizer != "" {
		names = append(names, printable(s.Optimizer))
	}
	return strings.Join(append(names, printable(s.Metric), s.Name), " ")
}

func numberOrNone(v float64) string {
	if !finite(v) {
		return "missing"
	}
	return formatFloat(v)
}

// outcome says in a sentence whether the file agrees.
func (c Check) outcome() string {
	if len(c.Problems) > 0 {
		return fmt.Sprintf("%s does not agree with the runs, or cannot be checked, in %d of its %d numbers:", printable(c.Path), len(c.Problems), c.Numbers)
	}
	outcome := fmt.Sprintf("%s agrees: all of its numbers (%d) follow from the runs", printable(c.Path), c.Numbers)
	if c.Note != "" {
		outcome += ", " + c.Note
	}
	return outcome + "."
}
