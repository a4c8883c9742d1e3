package report

import "fmt"

func (a *Analysis) curveSection() section {
	s := section{title: "Learning curves", pageOnly: true}
	for _, dataset := range a.Datasets {
		s.figures = append(s.figures, a.curveFigures(dataset)...)
	}
	if len(s.figures) > 0 {
		s.paragraphs = []string{"Lines are means over the finished runs, bands one standard deviation on either side: how the runs spread, not how sure the mean is. " +
			"Validation follows every epoch and its time is in the time elapsed, which is that of this machine and of whatever else ran on it. " +
			"All axes start at zero."}
	}
	return s
}

func (a *Analysis) targetSection() section {
	s := section{title: "Time to target"}
	for _, dataset := range a.Datasets {
		if len(a.racing(dataset)) > 0 && len(a.targets(dataset)) > 0 {
			s.tables = append(s.tables, a.targetTable(dataset))
			s.figures = append(s.figures, a.profileFigures(dataset)...)
		}
	}
	if len(s.tables) == 0 {
		return s
	}
	origin := "The targets were given."
	if len(a.Targets) == 0 {
		origin = "The targets are shares of the best arm's median accuracy after the last epoch: "
		for i, share := range targetShares() {
			if i > 0 {
				origin += ", "
			}
			origin += fmt.Sprintf("%.0f %%", 100*share)
		}
		origin += "."
	}
	s.paragraphs = []string{
		"The median over all runs of the first epoch whose validation accuracy is at least the target, and of the time until its end. " +
			"A run that never gets there counts as infinitely slow, one that diverged too. In brackets: how many got there. " + origin,
	}
	if len(s.figures) > 0 {
		s.paragraphs = append(s.paragraphs, "On the page, the performance profiles show the share of all targets from all seeds that an arm reaches within a multiple of what the fastest arm needs from that seed: "+
			"at the left edge how often it is the fastest, at the right how often it gets there at all. n is seeds × targets.")
	}
	return s
}

func (a *Analysis) costSection() section {
	s := section{
		title: "Cost",
		paragraphs: []string{"Training time is of all epochs, with the validation after each. The multiple is the geometric mean of the pairs' ratios. " +
			"Milliseconds a step are that time over the number of steps, where the records have it."},
	}
	timed := false
	for _, dataset := range a.Datasets {
		s.tables = append(s.tables, a.costTable(dataset))
		if parts := a.partsTable(dataset); len(parts.rows) > 0 {
			s.tables = append(s.tables, parts)
			timed = true
		}
	}
	if timed {
		s.paragraphs = append(s.paragraphs, "By part: medians over one step of each epoch of each run, whose kernels and products were timed one by one, so that their sum has no validation in it "+
			"and no time between them. Curvature is what an estimate takes, divided by the steps from one to the next; rest is pictures, dropout masks, loss and counts.")
	}
	return s
}
