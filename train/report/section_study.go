package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// missing names the runs without an end that the notes of the first tables do not name.
func (a *Analysis) missing() []check {
	all := len(a.Records.Missing) == 0
	noted := make(map[runKey]bool)
	for _, c := range a.Comparisons {
		all = all && len(c.LeftOut) == 0
		for _, l := range c.LeftOut {
			noted[runKey{c.Dataset, l.Seed, l.Optimizer}] = true
		}
	}
	switch {
	case all && len(a.Records.Runs) == 0: // CSV files list finished runs only
		return []check{{markGood, "Every seed that has a run has one of every optimizer."}}
	case all && len(a.Looks) > 0 && len(a.Rows) < len(a.Datasets)*len(a.Optimizers)*len(a.Records.Plan.Seeds):
		return []check{{markGood, "Every run that the planned looks left to be made is there, and all of them finished."}}
	case all:
		return []check{{markGood, "Every seed that has a run has one of every optimizer, and all of them finished."}}
	}
	seeds := make(map[string][]int) // by who and why
	for _, m := range a.Records.Missing {
		if !noted[runKey{m.Dataset, m.Seed, m.Optimizer}] {
			who := fmt.Sprintf("%s, %s: %s", printable(m.Dataset), a.name(m.Optimizer), m.State)
			seeds[who] = append(seeds[who], m.Seed)
		}
	}
	var list []check
	for _, who := range slices.Sorted(maps.Keys(seeds)) {
		list = append(list, check{markCaution, fmt.Sprintf("%s, %s.", who, namedSeeds(distinct(seeds[who])))})
	}
	return list
}

// checkSection lists what was checked, what to be careful about, and what cannot be known.
func (a *Analysis) checkSection() section {
	s := section{id: "checks", title: "What was checked, and what cannot be known?", brief: true}
	add := func(mark string, lines ...string) {
		for _, line := range lines {
			s.checks = append(s.checks, check{mark, line})
		}
	}
	add(markCaution, a.Cautions()...)
	for _, c := range a.Checks {
		mark := markGood
		if len(c.Problems) > 0 {
			mark = markCaution
		}
		add(mark, append([]string{c.outcome()}, c.Problems...)...)
	}
	s.checks = append(s.checks, a.missing()...)
	s.checks = append(s.checks, a.roleOfTestSet()...)
	for _, remark := range a.Records.Remarks {
		add(markCaution, "Ledger: "+printable(remark)+".")
	}
	if len(a.Records.Runs) < len(a.Rows) {
		add(markGood, "Accuracies and F1 of CSV files are between 0 and 1, losses and times are not negative, and no run stands twice.")
		add(markUnknown, "Whether the numbers of CSV files are those that the runs ended with, whether runs were left out, whether the arms of a seed began alike, and whether all runs had the same epochs, data and program.")
	}
	if len(a.Records.Runs) > 0 {
		add(markGood, "The records of all runs are complete, in their ranges, and do not contradict each other.")
		if len(a.Records.Ledger) == 0 && len(a.Records.Remarks) == 0 {
			add(markGood, "The records fit the study's ledger.")
		}
	}
	if slices.ContainsFunc(a.Rows, func(r Row) bool { return r.run != nil && r.run.Event != nil }) {
		add(markUnknown, "Whether the ledger was rewritten whole: only a plan's digest that was deposited elsewhere shows it (diaghess audit --plan).")
	}
	add(markUnknown, "Whether this study was one of several, run elsewhere with other seeds, arms or tunings, of which only this one is shown.",
		"How the arms compare on other data, with other networks, or with other settings.")
	return s
}

func (a *Analysis) setupSection() section {
	s := section{id: "made", title: "How was it made?", folded: true}
	if len(a.Records.Runs) < len(a.Rows) {
		s.paragraphs = []string{"Runs from CSV files: such a file holds a row for each run and no more. Settings, versions, device, algorithms, commit and the number of tuning trials are not known; " +
			"learning curves and epochs to a target cannot be shown."}
	}
	if len(a.Records.Runs) == 0 {
		return s
	}
	s.paragraphs = append(s.paragraphs, fmt.Sprintf("From the records of %s in %s. All that the results of a run depend on is in its config.json.", plural(len(a.Records.Runs), "run"), joinStrings(a.Records.Folders)))
	if slices.ContainsFunc(a.Records.Runs, func(r Record) bool { return r.Settings[trialsKey] != "" }) {
		s.paragraphs = append(s.paragraphs, "Tuning trials are the runs from which an optimizer's settings were chosen: unequal numbers favour the arm that had more.")
	}
	s.tables = a.setupTables()
	return s
}

// mostListed is how many runs a page lists.
const mostListed = 5000

// runSection lists every run.
func (a *Analysis) runSection() section {
	s := section{id: "runs", title: "What did every run end with?", folded: true, pageOnly: true}
	if len(a.Rows) > mostListed {
		s.paragraphs = []string{fmt.Sprintf("A page lists at most %d runs, and there are %d: those that finished are in metrics.csv beside it.", mostListed, len(a.Rows))}
		return s
	}
	place := make(map[runKey]int)
	for i, r := range a.Rows {
		place[keyOf(r)] = i
	}
	for _, dataset := range a.Datasets {
		t := table{title: printable(dataset), header: []string{"Seed", "Optimizer"}}
		for _, m := range Metrics() {
			t.header = append(t.header, m.String())
		}
		t.header = append(t.header, "Status")
		for _, seed := range a.seedsOf(dataset, a.Optimizers...) {
			for _, optimizer := range a.Optimizers {
				if i, ok := place[runKey{dataset, seed, optimizer}]; ok {
					t.rows = append(t.rows, a.runCells(a.Rows[i]))
				}
			}
		}
		s.tables = append(s.tables, t)
	}
	return s
}

func (a *Analysis) runCells(r Row) []string {
	row := []string{strconv.Itoa(r.Seed), a.name(r.Optimizer)}
	reason := r.unusable()
	for _, m := range Metrics() {
		if reason != "" {
			row = append(row, "")
			continue
		}
		row = append(row, fmt.Sprintf("%.5f", m.Of(r)))
	}
	if reason == "" {
		reason = string(r.Status)
	}
	return append(row, printable(reason))
}
