package stats

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// ErrNotProbability is returned, wrapped with its place, for a p that is not in [0, 1].
var ErrNotProbability = errors.New("not a probability")

// Holm returns the p values of a family of tests, adjusted by Holm's step-down method, in
// the order of p. Tests with an adjusted p of at most α may be called significant. Then the
// probability of even one false claim in the family is at most α, however the tests depend
// on each other.
//
// With p sorted, the adjusted p(i) is the largest of (m−j+1)·p(j) over j ≤ i, and at
// most 1 (Holm, "A simple sequentially rejective multiple test procedure",
// Scandinavian Journal of Statistics 6, 1979). It is R's p.adjust(p, "holm").
//
// A test that could not be made has no p and is not part of the family. Holm
// returns ErrNotProbability for a NaN or a p outside [0, 1].
func Holm(p []float64) ([]float64, error) {
	order := make([]int, len(p))
	for i, v := range p {
		if !(0 <= v && v <= 1) {
			return nil, fmt.Errorf("p %d of %d is %g: %w", i+1, len(p), v, ErrNotProbability)
		}
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	adjusted, largest := make([]float64, len(p)), 0.0
	for rank, i := range order {
		largest = max(largest, min(1, float64(len(p)-rank)*p[i]))
		adjusted[i] = largest
	}
	return adjusted, nil
}
