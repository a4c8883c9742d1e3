package sets

import (
	"math"
	"strconv"

	"diaghess/train/data"
)

// generatedRows is how many rows each generated set has.
const generatedRows = 30_000

// classification has the arguments of scikit-learn's make_classification that the pilot sets;
// shift, scale, shuffle and hypercube keep their defaults. Source: I. Guyon, "Design of
// experiments for the NIPS 2003 variable selection benchmark", 2003, as scikit-learn 1.6.1 has it.
type classification struct {
	name                   string
	features               int
	informative, redundant int // the other features are noise
	weights                []float64
	classes, clusters      int // clusters of each class
	flip, separation       float64
}

// generate returns make_classification(generatedRows, ..., random_state=seed).
func (c classification) generate(seed uint32) *data.Table {
	random := newRandomState(seed)
	values := make([]float64, generatedRows*c.features)
	labels := make([]int32, generatedRows)
	sizes := c.clusterSizes()

	corners := random.corners(len(sizes), c.informative)
	for row := range generatedRows {
		for i := range c.informative {
			values[row*c.features+i] = random.normal()
		}
	}
	first := 0
	mixed := make([]float64, c.informative)
	for cluster, size := range sizes {
		mix := random.signedMatrix(c.informative * c.informative)
		for row := first; row < first+size; row++ {
			labels[row] = int32(cluster % c.classes)
			x := values[row*c.features:][:c.informative]
			multiply(mixed, x, mix)
			for i := range x {
				corner := float64(corners[cluster]>>(c.informative-1-i)&1) * (2 * c.separation)
				x[i] = mixed[i] + (corner - c.separation)
			}
		}
		first += size
	}
	if c.redundant > 0 {
		mix := random.signedMatrix(c.informative * c.redundant)
		for row := range generatedRows {
			x := values[row*c.features:]
			multiply(x[c.informative:][:c.redundant], x[:c.informative], mix)
		}
	}
	if noise := c.informative + c.redundant; noise < c.features {
		for row := range generatedRows {
			for i := noise; i < c.features; i++ {
				values[row*c.features+i] = random.normal()
			}
		}
	}
	var flipped []int
	for row := range generatedRows {
		if random.float64() < c.flip {
			flipped = append(flipped, row)
		}
	}
	for _, row := range flipped {
		labels[row] = int32(random.upTo(uint32(c.classes - 1)))
	}

	rows, columns := random.permutation(generatedRows), random.permutation(c.features)
	t := &data.Table{Shape: []int{c.features}, Values: make([]float64, len(values)), Labels: make([]int32, generatedRows)}
	for class := range c.classes {
		t.Classes = append(t.Classes, strconv.Itoa(class))
	}
	for to, from := range rows {
		t.Labels[to] = labels[from]
		for i, column := range columns {
			t.Values[to*c.features+i] = values[int(from)*c.features+int(column)]
		}
	}
	return t
}

// clusterSizes returns how many rows each cluster has: cluster k is of the class k modulo classes.
func (c classification) clusterSizes() []int {
	sizes := make([]int, c.classes*c.clusters)
	left := generatedRows
	for k := range sizes {
		weight := 1 / float64(c.classes)
		if c.weights != nil {
			weight = c.weights[k%c.classes]
		}
		sizes[k] = int(float64(generatedRows) * weight / float64(c.clusters))
		left -= sizes[k]
	}
	for i := range left {
		sizes[i%len(sizes)]++
	}
	return sizes
}

// corners returns n different numbers of so many bits, each a corner of the hypercube:
// sample_without_replacement(2^dimensions, n), which permutes all numbers if 1 to 99 % of them
// are wanted, and else, for the few of them that the pilot's sets need, rejects repetitions.
func (r *randomState) corners(n, dimensions int) []uint32 {
	if ratio := float64(n) / float64(uint64(1)<<dimensions); ratio > .01 {
		return r.permutation(1 << dimensions)[:n]
	}
	var corners []uint32
	for seen := map[uint32]bool{}; len(corners) < n; {
		if corner := r.upTo(1<<dimensions - 1); !seen[corner] {
			seen[corner] = true
			corners = append(corners, corner)
		}
	}
	return corners
}

// signedMatrix returns 2*uniform(size=n) - 1.
func (r *randomState) signedMatrix(n int) []float64 {
	m := make([]float64, n)
	for i := range m {
		m[i] = r.signed()
	}
	return m
}

// multiply computes to [N] = x [K] * m [K, N] in the order of OpenBLAS, NumPy's library for
// products: one fused multiplication and addition after the other.
func multiply(to, x, m []float64) {
	for i := range to {
		sum := 0.0
		for k, factor := range x {
			sum = math.FMA(factor, m[k*len(to)+i], sum)
		}
		to[i] = sum
	}
}
