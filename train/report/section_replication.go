package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"diaghess/train/record"
	"diaghess/train/stats"
)

// replicated returns the arms of a data set whose runs all repeat those of the pilot's published study, by
// the pilot's names, which are those of [pilotStudy.read].
func (a *Analysis) replicated(dataset string, of pilotStudy) map[string]string {
	arms := map[string]string{}
	for pilots, own := range map[string]string{of.baseline: "adamw", pilotRule: "diaghess"} {
		runs := 0
		other := func(r Row) bool {
			if r.Dataset != dataset || r.Optimizer != own {
				return false
			}
			runs++
			if r.run == nil {
				return true
			}
			c := r.run.Config
			want := record.Settings{Model: "pilotcnn", Epochs: of.epochs[dataset], Batch: 64, Protocol: record.ProtocolPilot, Augment: record.AugmentNone,
				Endpoint: record.EndpointLast, Average: record.AverageNone}
			want.Math, want.EvaluateTrain = c.Math, c.EvaluateTrain // either arithmetic repeats it, and what is measured besides changes nothing
			return c.Settings != want || c.Data != nil
		}
		if !slices.ContainsFunc(a.Rows, other) && runs > 0 {
			arms[pilots] = own
		}
	}
	return arms
}

// replicationSection compares runs with the pilot's settings with the published ones.
func (a *Analysis) replicationSection() section {
	s := section{id: "replication", title: "Does the pilot's result replicate?", brief: true}
	published := pilotStudies()[0]
	for _, dataset := range a.Datasets {
		own := a.replicated(dataset, published)
		if len(own) < 2 {
			continue
		}
		pilots, err := published.compare()
		if err != nil {
			panic(fmt.Sprintf("report: the pilot's files, which are part of the program: %v", err))
		}
		theirs := pilots.finished(dataset)
		ours := a.finished(dataset)
		t := table{title: printable(dataset) + ": the pilot's runs, and those here", header: []string{"metric", "of", "pilot's mean ± SD", "predicted for here, 95 %", "here", "inside"}}
		var outside []string
		pairs := 0
		for _, m := range []Metric{ValAcc, ValLoss, F1} {
			digits, title := 4, m.Title()
			if m != ValLoss {
				digits, title = 2, title+", %"
			}
			for _, arms := range [][]string{{published.baseline}, {pilotRule}, {pilotRule, published.baseline}} {
				var names []string
				for _, arm := range arms {
					names = append(names, own[arm])
				}
				before, errBefore := stats.Describe(paired(theirs, m, arms))
				now, errNow := stats.Describe(paired(ours, m, names))
				if errBefore != nil || errNow != nil {
					continue
				}
				of, sign := a.name(names[0]), ""
				if len(names) > 1 {
					of, sign, pairs = "difference", "+", now.N
				}
				number := func(v float64) string { return signed(fmt.Sprintf("%%%s.%df", sign, digits), m.scaled(v)) }
				predicted := before.PredictMean(now.N, 0.95)
				inside := "yes"
				if now.Mean < predicted.Low || now.Mean > predicted.High {
					inside = "no"
					outside = append(outside, m.Title()+" of "+of)
				}
				t.rows = append(t.rows, []string{title, of, fmt.Sprintf("%s ± %.*f", number(before.Mean), digits, m.scaled(before.SD)),
					number(predicted.Low) + " to " + number(predicted.High), number(now.Mean), inside})
			}
		}
		if pairs == 0 {
			continue
		}
		t.notes = []string{fmt.Sprintf("Here: %s. difference: %s − %s, of the same seed.", plural(pairs, "pair"), a.name(own[pilotRule]), a.name(own[published.baseline]))}
		s.tables = append(s.tables, t)
		agreement := "all numbers here lie where the pilot's runs predict them"
		if len(outside) > 0 {
			agreement = fmt.Sprintf("%d of %d numbers here lie outside of what the pilot's runs predict: %s", len(outside), len(t.rows), strings.Join(outside, ", "))
		}
		s.paragraphs = append(s.paragraphs, fmt.Sprintf("On %s %s.", printable(dataset), agreement))
	}
	if len(s.tables) > 0 {
		s.paragraphs = append(s.paragraphs,
			"The pilot's 20 runs of each arm predict where the mean of as many runs as there are here will lie, with a probability of 95 % for each number, if the two programs do the same and the runs are nearly normal. "+
				"A number outside speaks against that. A number inside does not confirm the pilot's verdict: the first tables have the verdict of the runs here alone. "+
				"Of nine numbers, which depend on each other, one may lie outside by chance.")
	}
	return s
}

// finished returns the finished runs of a data set.
func (a *Analysis) finished(dataset string) map[runKey]Row {
	runs := make(map[runKey]Row)
	for _, r := range a.Rows {
		if r.Dataset == dataset && r.unusable() == "" {
			runs[keyOf(r)] = r
		}
	}
	return runs
}

// paired returns a metric of one arm, or the first arm's less the second's, for all seeds that have both,
// in the order of the seeds.
func paired(runs map[runKey]Row, m Metric, arms []string) []float64 {
	bySeed := map[int][]float64{}
	for i, arm := range arms {
		for key, r := range runs {
			if key.optimizer == arm && len(bySeed[key.seed]) == i {
				bySeed[key.seed] = append(bySeed[key.seed], m.Of(r))
			}
		}
	}
	var values []float64
	for _, seed := range slices.Sorted(maps.Keys(bySeed)) {
		switch v := bySeed[seed]; {
		case len(v) < len(arms):
		case len(v) == 1:
			values = append(values, v[0])
		default:
			values = append(values, v[0]-v[1])
		}
	}
	return values
}
