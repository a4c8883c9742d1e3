package report

import (
	"fmt"
	"math"
	"slices"
)

// targetShares makes the targets where none are given: shares of the best arm's
// median accuracy after the last epoch. They favour no arm, but are made of the same
// runs that they judge.
func targetShares() []float64 { return []float64{0.6, 0.8, 0.9, 0.95, 1} }

// targets returns the validation accuracies that runs on a data set race to; none
// where no run has finished.
func (a *Analysis) targets(dataset string) []float64 {
	if len(a.Targets) > 0 {
		return a.Targets
	}
	best := 0.0
	for _, optimizer := range a.Optimizers {
		var last []float64
		for _, run := range a.Records.finished(dataset, optimizer) {
			last = append(last, run.Epochs[len(run.Epochs)-1].ValAcc)
		}
		if len(last) > 0 {
			best = max(best, median(last))
		}
	}
	if best == 0 {
		return nil
	}
	var targets []float64
	for _, share := range targetShares() {
		targets = append(targets, share*best)
	}
	return targets
}

// median returns the middle of a list, which may hold infinities, and the mean of
// both where there are two. It sorts the list.
func median(list []float64) float64 {
	slices.Sort(list)
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}

// reach returns the first epoch with an accuracy; infinite where there is none, and for a run that
// failed, whatever it had reached before.
func (r Record) reach(target float64) float64 {
	if r.Row.unusable() != "" {
		return math.Inf(1)
	}
	for i, e := range r.Epochs {
		if e.ValAcc >= target {
			return float64(i + 1)
		}
	}
	return math.Inf(1)
}

func (a *Analysis) targetSection() section {
	s := section{id: "targets", title: "How soon, and how reliably?"}
	for _, dataset := range a.Datasets {
		if targets := a.targets(dataset); len(a.racing(dataset)) > 0 && len(targets) > 0 {
			s.tables = append(s.tables, a.targetTable(dataset, targets))
		}
		s.panels = append(s.panels, a.profilePanels(dataset)...)
	}
	if len(s.tables) > 0 {
		origin := "The targets were given."
		if len(a.Targets) == 0 {
			origin = "The targets are shares of the best arm's median accuracy after the last epoch."
		}
		s.paragraphs = append(s.paragraphs, "The median first epoch with at least a validation accuracy, and how many runs got there. A run that never does counts as infinitely slow, one that diverged too. "+origin)
	}
	if len(s.panels) > 0 {
		s.paragraphs = append(s.paragraphs, fmt.Sprintf("The profiles on the page show the share of the runs whose %s is at least as good as the value below, with Wilson's 95 %% interval: further right is better. A failed run reaches nothing.", a.metricTitle(a.Primary)))
		if a.tuned() {
			s.paragraphs = append(s.paragraphs, "The profiles count each run as independent. Runs of one tuning are not: where tunings differ, their intervals are too short.")
		}
	}
	return s
}

// targetTable says how many epochs the arms need for each target on a data set. Its plot is of
// the target in the middle: a dot a run, and at the right the runs that never reach it.
func (a *Analysis) targetTable(dataset string, targets []float64) table {
	t := table{title: printable(dataset) + ": epochs to a validation accuracy", header: []string{"arm"}}
	title := func(target float64) string {
		if len(a.Targets) > 0 {
			return exactly(100*target, 2) + " %"
		}
		return fmt.Sprintf("%.2f %%", 100*target)
	}
	for _, target := range targets {
		t.header = append(t.header, title(target))
	}
	shown := targets[len(targets)/2]
	last := 0
	for _, run := range a.Records.Runs {
		if run.Row.Dataset == dataset {
			last = max(last, len(run.Epochs))
		}
	}
	x := newAxis([]float64{1, float64(last)}, func(v float64) string { return fmt.Sprintf("%g", v) })
	x.ticks = slices.DeleteFunc(x.ticks, func(t tick) bool { return t.value < 1 || t.value > float64(last) || t.value != math.Trunc(t.value) })
	never := float64(last) + max(1, float64(last)/8)
	x.low, x.high, x.ticks = 0, never+never/20, append(x.ticks, tick{never, "never"})
	x.left = "epoch of " + title(shown)
	t.axis = &x
	most := 1 // dots of one value
	for _, optimizer := range a.racing(dataset) {
		runs := a.Records.of(dataset, optimizer)
		row := []string{a.name(optimizer)}
		for _, target := range targets {
			row = append(row, reachCell(runs, target))
		}
		s := strip{label: fmt.Sprintf("%s, epochs to %s: %s", a.name(optimizer), title(shown), reachCell(runs, shown)), mean: math.NaN(), low: math.NaN(), high: math.NaN()}
		same := make(map[float64]int)
		for _, run := range runs {
			d := dot{run.reach(shown), fmt.Sprintf("seed %d: epoch %g", run.Row.Seed, run.reach(shown))}
			if math.IsInf(d.value, 1) {
				d = dot{never, fmt.Sprintf("seed %d: never", run.Row.Seed)}
			}
			if len(runs) <= mostDots {
				s.dots = append(s.dots, d)
				same[d.value]++
				most = max(most, same[d.value])
			}
		}
		t.rows, t.arms, t.strips = append(t.rows, row), append(t.arms, optimizer), append(t.strips, s)
	}
	for i := range t.strips {
		t.strips[i].stack = most
	}
	return t
}

// reachCell says when runs reach a target.
func reachCell(runs []Record, target float64) string {
	var epochs []float64
	hits := 0
	for _, run := range runs {
		epochs = append(epochs, run.reach(target))
		if !math.IsInf(epochs[len(epochs)-1], 1) {
			hits++
		}
	}
	if m := median(epochs); !math.IsInf(m, 1) {
		return fmt.Sprintf("%g (%d of %d)", m, hits, len(runs))
	}
	return fmt.Sprintf("never (%d of %d)", hits, len(runs))
}

// racing returns the arms that have epochs on a data set.
func (a *Analysis) racing(dataset string) []string {
	return slices.DeleteFunc(slices.Clone(a.Optimizers), func(o string) bool { return len(a.Records.of(dataset, o)) == 0 })
}
