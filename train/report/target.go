package report

import (
	"fmt"
	"math"
	"slices"

	"diaghess/train/report/plot"
)

// targetShares makes the targets where none are given: shares of the best arm's
// median accuracy after the last epoch. They favour no arm, but are made of the same
// runs that they judge.
func targetShares() []float64 { return []float64{0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1} }

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

// reached is when a run first had an accuracy: infinite where it never had.
type reached struct{ epochs, seconds float64 }

func (r Record) reach(target float64) reached {
	seconds := r.elapsed()
	for i, e := range r.Epochs {
		if e.ValAcc >= target {
			return reached{float64(i + 1), seconds[i]}
		}
	}
	return reached{math.Inf(1), math.Inf(1)}
}

// targetTable says how long the arms take to each target on a data set.
func (a *Analysis) targetTable(dataset string) table {
	t := table{title: printable(dataset), header: []string{"Validation accuracy"}}
	arms := a.racing(dataset)
	for _, optimizer := range arms {
		t.header = append(t.header, withN(optimizer, len(a.Records.of(dataset, optimizer))))
	}
	for _, target := range a.targets(dataset) {
		row := []string{fmt.Sprintf("%.4f", target)}
		for _, optimizer := range arms {
			row = append(row, reachCell(a.Records.of(dataset, optimizer), target))
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// reachCell says when runs reach a target.
func reachCell(runs []Record, target float64) string {
	var epochs, seconds []float64
	hits := 0
	for _, run := range runs {
		r := run.reach(target)
		epochs, seconds = append(epochs, r.epochs), append(seconds, r.seconds)
		if !math.IsInf(r.epochs, 1) {
			hits++
		}
	}
	if m := median(epochs); !math.IsInf(m, 1) {
		return fmt.Sprintf("epoch %g, %s s (%d of %d)", m, threeDigits(median(seconds)), hits, len(runs))
	}
	return fmt.Sprintf("not reached (%d of %d)", hits, len(runs))
}

// racing returns the arms that have epochs on a data set.
func (a *Analysis) racing(dataset string) []string {
	return slices.DeleteFunc(slices.Clone(a.Optimizers), func(o string) bool { return len(a.Records.of(dataset, o)) == 0 })
}

// profileFigures returns the performance profiles of a data set (Dolan and Moré,
// "Benchmarking optimization software with performance profiles", Mathematical
// Programming 91, 2002): for each arm, the share of problems that it solves within a
// factor of the fastest arm's time. A problem is a target from a seed that all arms
// have run. One that no arm solves counts, as solved by none.
func (a *Analysis) profileFigures(dataset string) []figure {
	arms := a.racing(dataset)
	if len(arms) < 2 {
		return nil
	}
	var figures []figure
	for _, by := range []struct {
		name  string
		value func(reached) float64
	}{
		{"epochs", func(r reached) float64 { return r.epochs }},
		{"time", func(r reached) float64 { return r.seconds }},
	} {
		ratios := a.ratiosToBest(dataset, arms, by.value)
		if len(ratios[0]) == 0 {
			return nil
		}
		furthest := 2.0
		for _, list := range ratios {
			for _, r := range list {
				if !math.IsInf(r, 1) {
					furthest = max(furthest, min(r, 100))
				}
			}
		}
		furthest *= 1.1 // so that the last step is seen
		var curves []plot.Curve
		for i, optimizer := range arms {
			c := profile(ratios[i], furthest)
			c.Name, c.Arm = withN(optimizer, len(ratios[i])), slices.Index(a.Optimizers, optimizer)
			curves = append(curves, c)
		}
		figures = append(figures, figure{
			name: fileName("profile", dataset, by.name),
			Figure: plot.Profile(fmt.Sprintf("%s: targets reached, by %s", printable(dataset), by.name),
				by.name+" as a multiple of the fastest arm's", "share of seeds × targets", furthest, curves),
		})
	}
	return figures
}

// ratiosToBest returns [arm][problem] what an arm needs as a multiple of what the
// best one does, infinite for a miss.
func (a *Analysis) ratiosToBest(dataset string, arms []string, value func(reached) float64) [][]float64 {
	runs := make([]map[int]Record, len(arms)) // [arm][seed]
	for i, optimizer := range arms {
		runs[i] = make(map[int]Record)
		for _, run := range a.Records.of(dataset, optimizer) {
			runs[i][run.Row.Seed] = run
		}
	}
	ratios := make([][]float64, len(arms))
	for _, seed := range a.seedsOf(dataset, arms...) {
		everywhere := true
		for i := range arms {
			_, ok := runs[i][seed]
			everywhere = everywhere && ok
		}
		if !everywhere {
			continue
		}
		for _, target := range a.targets(dataset) {
			best := math.Inf(1)
			needed := make([]float64, len(arms))
			for i := range arms {
				needed[i] = value(runs[i][seed].reach(target))
				best = min(best, needed[i])
			}
			for i, need := range needed {
				ratio := math.Inf(1) // a miss, also of all arms
				switch {
				case math.IsInf(need, 1):
				case need == best: // also where the clock was too coarse to see it
					ratio = 1
				default:
					ratio = need / best
				}
				ratios[i] = append(ratios[i], ratio)
			}
		}
	}
	return ratios
}

// profile returns the steps of the share of ratios that are at most x.
func profile(ratios []float64, furthest float64) plot.Curve {
	sorted := slices.Sorted(slices.Values(ratios))
	c := plot.Curve{X: []float64{1}, Y: []float64{0}}
	for i, r := range sorted {
		if r > furthest {
			break
		}
		share := float64(i+1) / float64(len(sorted))
		c.X, c.Y = append(c.X, r, r), append(c.Y, c.Y[len(c.Y)-1], share)
	}
	c.X, c.Y = append(c.X, furthest), append(c.Y, c.Y[len(c.Y)-1])
	return c
}
