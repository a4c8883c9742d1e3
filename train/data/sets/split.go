package sets

import (
	"fmt"
	"math"
	"slices"
)

// Split divides rows into those for training and those for testing, both in random order, with
// the classes in the same proportions: scikit-learn's
// train_test_split(rows, test_size=fraction, stratify=labels, random_state=seed). labels [N] are
// the rows' classes. It is an error if a class that occurs has one row only, or if a part would
// have fewer rows than there are classes. Source: StratifiedShuffleSplit of scikit-learn 1.6.1.
func Split(labels []int32, fraction float64, seed uint32) (train, test []uint32, err error) {
	if !(fraction > 0 && fraction < 1) {
		return nil, nil, fmt.Errorf("a test part of %g: a split needs a fraction between 0 and 1", fraction)
	}
	testRows := int(math.Ceil(fraction * float64(len(labels))))
	var classes [][]uint32 // the rows of each class that occurs
	for row, label := range labels {
		for int(label) >= len(classes) {
			classes = append(classes, nil)
		}
		classes[label] = append(classes[label], uint32(row))
	}
	var counts []int
	for label, rows := range classes {
		if len(rows) == 1 {
			return nil, nil, fmt.Errorf("class %d has one row, row %d: a stratified split needs 2 or more of each class", label, rows[0]+1)
		}
		if len(rows) > 0 {
			counts = append(counts, len(rows))
		}
	}
	classes = slices.DeleteFunc(classes, func(rows []uint32) bool { return rows == nil })
	if smaller := min(testRows, len(labels)-testRows); smaller < len(classes) {
		return nil, nil, fmt.Errorf("a test part of %g leaves a part with %d of %d rows: %d classes need as many rows or more", fraction, smaller, len(labels), len(classes))
	}

	random := newRandomState(seed)
	trainCounts := random.share(counts, len(labels)-testRows)
	left := slices.Clone(counts)
	for i, count := range trainCounts {
		left[i] -= count
	}
	testCounts := random.share(left, testRows)
	for i, rows := range classes {
		order := random.permutation(len(rows))
		for k, from := range order[:trainCounts[i]+testCounts[i]] {
			if k < trainCounts[i] {
				train = append(train, rows[from])
			} else {
				test = append(test, rows[from])
			}
		}
	}
	random.shuffle(train)
	random.shuffle(test)
	return train, test, nil
}

// share divides n draws between classes in proportion to their counts: each gets the whole part
// of its share, and those with the largest remainders one more, chosen at random where remainders
// are equal.
func (r *randomState) share(counts []int, n int) []int {
	total := 0
	for _, count := range counts {
		total += count
	}
	shares := make([]int, len(counts))
	remainders := make([]float64, len(counts))
	left := n
	for i, count := range counts {
		exact := float64(count) / float64(total) * float64(n)
		shares[i] = int(exact)
		remainders[i] = exact - float64(shares[i])
		left -= shares[i]
	}
	values := slices.Clone(remainders)
	slices.Sort(values)
	values = slices.Compact(values)
	for k := len(values) - 1; left > 0 && k >= 0; k-- {
		var tied []int
		for i, remainder := range remainders {
			if remainder == values[k] {
				tied = append(tied, i)
			}
		}
		for _, i := range r.permutation(len(tied))[:min(len(tied), left)] {
			shares[tied[i]]++
			left--
		}
	}
	return shares
}
