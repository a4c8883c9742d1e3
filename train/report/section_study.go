package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"diaghess/train/stats"
)

// missingSection names every run that is not compared: it diverged, or was planned
// and has no end, or its partner is not there.
func (a *Analysis) missingSection() section {
	s := section{title: "Runs that are not compared"}
	byReason := make(map[string][]int) // seeds by who and why
	for _, c := range a.Comparisons {
		for _, l := range c.LeftOut {
			who := printable(c.Dataset) + ", " + printable(l.Optimizer) + ": " + printable(l.Reason)
			if !slices.Contains(byReason[who], l.Seed) {
				byReason[who] = append(byReason[who], l.Seed)
			}
		}
	}
	for _, m := range a.Records.Missing {
		who := printable(m.Dataset) + ", " + printable(m.Optimizer) + ": planned, and not ended"
		byReason[who] = append(byReason[who], m.Seed)
	}
	for _, who := range slices.Sorted(maps.Keys(byReason)) {
		s.paragraphs = append(s.paragraphs, fmt.Sprintf("%s, %s.", who, namedSeeds(distinct(byReason[who]))))
	}
	if len(s.paragraphs) == 0 {
		s.paragraphs = []string{"None: every seed that has a run has one of every optimizer, and all of them finished."}
		if len(a.Records.Folders) == 0 {
			s.paragraphs[0] += " CSV files list finished runs only, so what diverged or was never listed cannot be known."
		}
	}
	return s
}

func (a *Analysis) setupSection() section {
	s := section{title: "How the study was made"}
	if len(a.Records.Runs) == 0 {
		s.paragraphs = []string{"The runs come from CSV files, which hold a row for each run and no more. Settings, versions, device, algorithms, commit and the number of tuning trials are not known; " +
			"learning curves, time to target and milliseconds a step cannot be shown."}
		return s
	}
	s.paragraphs = []string{
		fmt.Sprintf("From the records of %s in %s. All that the results of a run depend on is in its config.json.", plural(len(a.Records.Runs), "run"), joinStrings(a.Records.Folders)),
		"Tuning trials are the runs from which an optimizer's settings were chosen: unequal numbers favour the arm that had more.",
	}
	s.tables = a.setupTables()
	return s
}

func (a *Analysis) checkSection() section {
	s := section{title: "Published numbers", pageOnly: true}
	for _, check := range a.Checks {
		s.paragraphs = append(s.paragraphs, check.outcome())
		s.paragraphs = append(s.paragraphs, check.Problems...)
	}
	return s
}

// runSection lists every run.
func (a *Analysis) runSection() section {
	s := section{title: "Every run", folded: true, pageOnly: true}
	for _, dataset := range a.Datasets {
		t := table{title: printable(dataset), header: []string{"Seed", "Optimizer"}, long: true}
		for _, m := range Metrics() {
			t.header = append(t.header, m.String())
		}
		t.header = append(t.header, "Status")
		for _, seed := range a.seedsOf(dataset, a.Optimizers...) {
			for _, optimizer := range a.Optimizers {
				i := slices.IndexFunc(a.Rows, func(r Row) bool { return keyOf(r) == runKey{dataset, seed, optimizer} })
				if i >= 0 {
					t.rows = append(t.rows, runCells(a.Rows[i]))
				}
			}
		}
		s.tables = append(s.tables, t)
	}
	return s
}

func runCells(r Row) []string {
	row := []string{strconv.Itoa(r.Seed), printable(r.Optimizer)}
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

func (a *Analysis) methodSection() section {
	return section{title: "How to read this", folded: true, paragraphs: []string{
		"Pairs: both arms start from the same seed. Seeds that only one arm has finished are left out and named. Means and deviations are over the pairs, with divisor n − 1.",
		"p: Student's paired t-test, two-tailed. The 95 % interval of the difference is of the same test and holds zero when p is above 5 %.",
		"p (Holm): adjusted so that the chance of even one false claim in the whole family stays at 5 %, however the tests depend on each other. " +
			"All tests of the tables are in the family, training time too: whoever looks at many numbers sees some of them shine by chance.",
		"Better and worse: p (Holm) is below 5 %. Not settled: p is, p (Holm) is not. Not shown: neither is, which is no proof of equality. " +
			fmt.Sprintf("Exploratory: fewer than %d pairs, so no claim. No test is made of fewer than %d.", stats.ExploratoryBelow, stats.MinPairs),
		"dz: the mean difference in standard deviations of the differences. Wilcoxon: signed ranks, zeros and ties after Pratt. Sign-flip: every pattern of signs up to 20 pairs, random ones beyond. " +
			"BCa: bootstrap interval with 9,999 resamples, widened for few pairs (Hesterberg 2015).",
		"Figures: differences include zero, each dot is a seed, the first at the top; below them stand the mean and its 95 % interval.",
	}}
}
