package fused_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"diaghess/gpu/emu/ptx"
	"diaghess/optim/rulefile"
)

const sumsText = `rule sums "all reductions"
key lr = 1 in (0, inf) "rate"
slot a, b, c, d, e, f
a = tensor.sum(g)
b = all.sum(g)
c = tensor.mean(g) + all.mean(g)
d = tensor.norm(g) - all.norm(g)
e = tensor.min(g) * all.max(g)
f = all.min(g) * tensor.max(g)
w -= lr * g
`

// Sums of numbers that cancel are what rounding leaves, so that another order shows. There are
// more chunks in a tensor, and more tensors, than columns.
func TestOrderOfSums(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	p := compiled(t, sumsText, nil, rulefile.NoDiagonal)
	lengths := []int{257*4096 + 4096 + 6}
	for range 300 {
		lengths = append(lengths, 3)
	}
	c := newTrial(p, 1, lengths...)
	r := rand.New(rand.NewPCG(3, 3))
	wide := func() float32 { return float32(math.Ldexp(r.NormFloat64(), r.IntN(70)-35)) }

	// The large tensor is one half and its negative. So are the small ones, one against another.
	for _, n := range lengths {
		c.gradients = append(c.gradients, make([]float32, n))
	}
	large := c.gradients[0]
	for i := range len(large) / 2 {
		large[i] = wide()
		large[len(large)/2+i] = -large[i]
	}
	r.Shuffle(len(large), func(i, j int) { large[i], large[j] = large[j], large[i] })
	small := c.gradients[1:]
	for i := range len(small) / 2 {
		for j := range small[i] {
			small[i][j] = wide()
			small[len(small)/2+i][j] = -small[i][j]
		}
	}
	r.Shuffle(len(small), func(i, j int) { small[i], small[j] = small[j], small[i] })

	if rounded(large) == rounded(reversed(large)) {
		t.Fatal("the order of these numbers does not show in their sum")
	}
	k := kernelsOf(t, p)
	divided, emulated := c.bind(t, openCPU(t), k, 0), c.bind(t, openEmulator(t, ptx.CheckNone, 0), k, 0)
	compare(t, c, 0, []runner{
		{"Go body, divided", divided, func() error { divided.splits(r); return nil }},
		{"emu", emulated, emulated.program.Run},
	})
}

// rounded is the sum of numbers in turn, in float64, as a float32.
func rounded(x []float32) float32 {
	var sum float64
	for _, v := range x {
		sum += float64(v)
	}
	return float32(sum)
}

func reversed(x []float32) []float32 {
	x = slices.Clone(x)
	slices.Reverse(x)
	return x
}
