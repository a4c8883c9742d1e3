package report

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"diaghess/train/record"
	"diaghess/train/stats"
)

var errNoEpochs = errors.New("not every run compared has a record of its epochs")

// endpointSection has the differences by several endpoints, computed from the epochs, beside
// each other.
func (a *Analysis) endpointSection() section {
	s := section{id: "endpoints", title: "Does the endpoint matter?"}
	own := a.ownEndpoints()
	if len(own) == 0 {
		return s
	}
	most := 0 // epochs, of which longer means are over all
	for _, run := range a.Records.Runs {
		most = max(most, len(run.Epochs))
	}
	contains := func(list []record.Endpoint, e record.Endpoint) bool {
		return slices.ContainsFunc(list, func(other record.Endpoint) bool { return other.Words(most) == e.Words(most) })
	}
	var endpoints []record.Endpoint
	for _, e := range slices.Concat([]record.Endpoint{record.EndpointLast, "mean-last-3", "mean-last-5"}, own, []record.Endpoint{record.EndpointBest}) {
		if !contains(endpoints, e) {
			endpoints = append(endpoints, e)
		}
	}
	var header, differ []string
	known := false
	for _, e := range endpoints {
		title := endpointTitle(e, most)
		if contains(own, e) {
			title += " (the study's)"
		}
		header = append(header, title+inUnit(ValAcc))
	}
	runs := make(map[runKey]Record)
	for _, run := range a.Records.Runs {
		runs[keyOf(run.Row)] = run
	}
	s.tables = a.perRival(": validation accuracy by endpoint (exploratory)", header, Comparison.paired, func(c Comparison, reasons *footnotes) []string {
		var row []string
		var up, down bool
		for _, e := range endpoints {
			l, err := c.endpointLine(runs, e)
			if err != nil {
				row = append(row, reasons.cite(err))
				continue
			}
			known = true
			up, down = up || l.Difference > 0, down || l.Difference < 0
			interval := reasons.cell(l.Untested, func() string {
				return a.interval(ValAcc, Outcome[stats.Interval]{Result: l.Test.Interval(confidence)})
			})
			row = append(row, fmt.Sprintf("%s (%s)", a.plain(ValAcc, l.Difference), interval))
		}
		if up && down {
			differ = append(differ, printable(c.Dataset)+", "+a.arms(c))
		}
		return row
	})
	if len(s.tables) == 0 {
		return s
	}
	answer := "No difference changes its sign with the endpoint."
	switch {
	case !known:
		answer = "Not known: no comparison has the epochs of all its runs."
	case len(differ) > 0:
		answer = "The sign of the difference depends on it: " + strings.Join(differ, "; ") + "."
	}
	words := fmt.Sprintf("Mean differences from the baseline, over the same %ss as above, each with the 95 %% interval of a t-test: not adjusted, and no verdict. ", a.unit())
	if slices.ContainsFunc(a.Rows, func(r Row) bool { return r.Measured.Test }) {
		words += fmt.Sprintf("All are validation metrics, computed from the epochs; the verdict is about the %s. ", a.metricTitle(a.Primary))
	}
	s.paragraphs = []string{answer, words + "The best epoch is chosen by the accuracy that is shown, which flatters arms whose accuracy varies more."}
	return s
}

// endpointTitle is an endpoint of runs of so many epochs as the title of a column.
func endpointTitle(e record.Endpoint, most int) string {
	if number, mean := strings.CutPrefix(string(e), "mean-last-"); mean {
		epochs, _ := strconv.Atoi(number)
		return fmt.Sprintf("mean of last %d", min(epochs, most))
	}
	return map[record.Endpoint]string{record.EndpointLast: "last epoch", record.EndpointBest: "best epoch"}[e]
}

// ownEndpoints returns the distinct endpoints of the runs that have epochs.
func (a *Analysis) ownEndpoints() []record.Endpoint {
	var own []record.Endpoint
	for _, run := range a.Records.Runs {
		if ended := run.Row.run; ended != nil && len(run.Epochs) > 0 {
			own = append(own, ended.Final.Endpoint)
		}
	}
	return distinct(own)
}

// endpointLine compares the validation accuracies that the runs compared have by an endpoint.
func (c Comparison) endpointLine(runs map[runKey]Record, e record.Endpoint) (Line, error) {
	var compared [2][]Row
	for i, arm := range []string{c.Baseline, c.Rival} {
		for _, seed := range c.Seeds {
			run := runs[runKey{c.Dataset, seed, arm}]
			if len(run.Epochs) == 0 {
				return Line{}, errNoEpochs
			}
			run.Row.ValAcc = e.Of(run.Epochs).ValAcc
			compared[i] = append(compared[i], run.Row)
		}
	}
	return newLine(ValAcc, compared[:]), nil
}
