package report

import (
	"slices"
	"strings"
)

// rule returns the name of an optimizer without its settings.
func rule(optimizer string) string {
	name, _, _ := strings.Cut(optimizer, ":")
	return name
}

// named returns the analysis with the optimizers called by their rules alone, if that
// tells them apart: a page lists the settings once, from the records. Of a study without
// records, and of one with a plan, which names its optimizers too, it returns a.
func (a *Analysis) named() *Analysis {
	if len(a.Records.Runs) < len(a.Rows) || a.Records.Plan != nil ||
		slices.ContainsFunc(a.Records.Runs, func(r Record) bool { return r.Settings == nil }) {
		return a
	}
	b := *a
	b.Rows, b.Optimizers, b.Comparisons = slices.Clone(a.Rows), slices.Clone(a.Optimizers), slices.Clone(a.Comparisons)
	b.Records.Runs, b.Records.Missing = slices.Clone(a.Records.Runs), slices.Clone(a.Records.Missing)
	var names []*string
	for i := range b.Rows {
		names = append(names, &b.Rows[i].Optimizer)
	}
	for i := range b.Optimizers {
		names = append(names, &b.Optimizers[i])
	}
	for i := range b.Comparisons {
		c := &b.Comparisons[i]
		c.LeftOut = slices.Clone(c.LeftOut)
		names = append(names, &c.Baseline, &c.Rival)
		for i := range c.LeftOut {
			names = append(names, &c.LeftOut[i].Optimizer)
		}
	}
	for i := range b.Records.Runs {
		names = append(names, &b.Records.Runs[i].Row.Optimizer)
	}
	for i := range b.Records.Missing {
		names = append(names, &b.Records.Missing[i].Optimizer)
	}
	if t := a.Records.Tuning; t != nil {
		tuning := *t
		tuning.Optimizers = slices.Clone(t.Optimizers)
		b.Records.Tuning = &tuning
		for i := range tuning.Optimizers {
			names = append(names, &tuning.Optimizers[i].Best)
		}
	}
	of := make(map[string]string) // the optimizer of each rule
	for _, name := range names {
		if other, ok := of[rule(*name)]; ok && other != *name {
			return a
		}
		of[rule(*name)] = *name
	}
	for _, name := range names {
		*name = rule(*name)
	}
	return &b
}
