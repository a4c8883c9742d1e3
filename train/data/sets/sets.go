package sets

import (
	"context"
	"math"
	"slices"

	"diaghess/train/data"
)

// All returns the pilot's sets in the order in which they are listed. Each has the split and the
// scaling that the pilot gave it.
func All() []data.Source {
	all := []data.Source{
		source("wine", 1_599, 11, 6, data.ScaleAll, func(context.Context, string) (*data.Table, error) { return loadWine() }),
		fetched("newsgroups", 18_846, 2_000, 20, data.ScaleNone, loadNewsgroups),
		fetched("har", 10_299, 1_152, 6, data.ScaleNone, loadHAR),
		// What the pilot did to its columns is not known; unscaled, that of the seconds would rule.
		fetched("creditcard", 284_807, 30, 2, data.ScaleTrain, loadCreditCard),
	}
	for _, c := range classifications() {
		all = append(all, generated(c))
	}
	return all
}

// classifications returns the sets that scikit-learn generates.
func classifications() []classification {
	gauss := func(name string, separation float64, clusters int, flip float64) classification {
		return classification{name: name, features: 10, informative: 10, classes: 8, clusters: clusters, flip: flip, separation: separation}
	}
	return []classification{
		{name: "imbalance", features: 20, informative: 15, redundant: 2,
			classes: 4, clusters: 2, weights: []float64{.7, .15, .1, .05}, flip: .01, separation: 1},
		gauss("gauss-sep0.5-clust1", .5, 1, 0),
		gauss("gauss-sep1.0-clust3", 1, 3, 0),
		gauss("gauss-sep2.0-clust5", 2, 5, 0),
		gauss("gauss-sep1.0-clust3-flip0.05", 1, 3, .05),
	}
}

// source describes a set of so many rows and inputs.
func source(name string, rows, inputs, classes int, scale string, table func(context.Context, string) (*data.Table, error)) data.Source {
	test := int(math.Ceil(data.DefaultSplit * float64(rows)))
	return data.Source{
		Status: data.Status{Name: name, Height: 1, Width: 1, Channels: inputs, Classes: classes, Numbers: true, Train: rows - test, Test: test},
		Table:  table, Scale: scale,
		How: "by seed as scikit-learn",
		Divide: func(labels []int32, share float64, seed int) (train, test []uint32, err error) {
			return Split(labels, share, uint32(seed))
		},
	}
}

// fetched is a set of an official file, see [data.File].
func fetched(name string, rows, inputs, classes int, scale string, load func(file []byte) (*data.Table, error)) data.Source {
	return source(name, rows, inputs, classes, scale, func(ctx context.Context, dir string) (*data.Table, error) {
		file, err := data.File(ctx, dir, name)
		if err != nil {
			return nil, err
		}
		return load(file)
	})
}

// pilotRuns is how many runs the pilot made of each study. It generated a set anew in each.
const pilotRuns = 7

// generated is a set whose rows are those of all runs of the pilot, one after the other. A run
// uses the rows of its seed, and a seed beyond those of the pilot, by remainder, those of one of them.
func generated(c classification) data.Source {
	s := source(c.name, generatedRows, c.features, c.classes, data.ScaleNone, func(context.Context, string) (*data.Table, error) {
		all := c.generate(0)
		for seed := uint32(1); seed < pilotRuns; seed++ {
			next := c.generate(seed)
			all.Values, all.Labels = slices.Concat(all.Values, next.Values), slices.Concat(all.Labels, next.Labels)
		}
		return all, nil
	})
	s.How = "by seed as scikit-learn, of rows generated from the seed's remainder by 7"
	split := s.Divide
	s.Divide = func(labels []int32, share float64, seed int) (train, test []uint32, err error) {
		first := seed % pilotRuns * generatedRows
		train, test, err = split(labels[first:first+generatedRows], share, seed)
		for _, part := range [][]uint32{train, test} {
			for i := range part {
				part[i] += uint32(first)
			}
		}
		return train, test, err
	}
	return s
}
