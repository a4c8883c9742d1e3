package blocks

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"diaghess/optim/rulefile"
)

const seed = 1

// operation is a function with its oracle, in bits of float32. The oracles of arithmetic are in
// float64: its sums, products, quotients and roots of float32 numbers, rounded once more, are
// correctly rounded, as it has more than twice the bits. The others look at the bits.
type operation struct {
	op         rulefile.Op
	operands   int
	conditions int  // the first operands
	computes   bool // a NaN, which may be any
	want       func(x, y, z uint32) uint32
}

var operations = []operation{
	{rulefile.OpAdd, 2, 0, true, inFloat64(func(x, y float64) float64 { return x + y })},
	{rulefile.OpSubtract, 2, 0, true, inFloat64(func(x, y float64) float64 { return x - y })},
	{rulefile.OpMultiply, 2, 0, true, inFloat64(func(x, y float64) float64 { return x * y })},
	{rulefile.OpDivide, 2, 0, true, inFloat64(func(x, y float64) float64 { return x / y })},
	{rulefile.OpSqrt, 1, 0, true, inFloat64(func(x, _ float64) float64 { return math.Sqrt(x) })},
	{rulefile.OpNegate, 1, 0, false, func(x, _, _ uint32) uint32 { return x + 1<<31 }},
	{rulefile.OpAbs, 1, 0, false, func(x, _, _ uint32) uint32 { return x << 1 >> 1 }},
	{rulefile.OpSign, 1, 0, false, func(x, _, _ uint32) uint32 {
		if isNaN(x) || x<<1 == 0 {
			return x
		}
		return x>>31<<31 | math.Float32bits(1)
	}},
	{rulefile.OpExp, 1, 0, true, func(x, _, _ uint32) uint32 {
		return math.Float32bits(rulefile.Exp32(math.Float32frombits(x)))
	}},
	{rulefile.OpLog, 1, 0, true, func(x, _, _ uint32) uint32 {
		return math.Float32bits(rulefile.Log32(math.Float32frombits(x)))
	}},
	{rulefile.OpMin, 2, 0, true, func(x, y, _ uint32) uint32 {
		if isNaN(x) || !isNaN(y) && rank(x) < rank(y) {
			return x
		}
		return y
	}},
	{rulefile.OpMax, 2, 0, true, func(x, y, _ uint32) uint32 {
		if isNaN(x) || !isNaN(y) && rank(x) > rank(y) {
			return x
		}
		return y
	}},
	{rulefile.OpIsFinite, 1, 0, false, func(x, _, _ uint32) uint32 { return mask(x<<1>>24 < 255) }},
	{rulefile.OpLess, 2, 0, false, comparison(func(x, y int64) bool { return x < y }, false)},
	{rulefile.OpLessEqual, 2, 0, false, comparison(func(x, y int64) bool { return x <= y }, false)},
	{rulefile.OpEqual, 2, 0, false, comparison(func(x, y int64) bool { return x == y }, false)},
	{rulefile.OpNotEqual, 2, 0, false, comparison(func(x, y int64) bool { return x != y }, true)},
	{rulefile.OpAnd, 2, 2, false, func(x, y, _ uint32) uint32 { return mask(x != 0 && y != 0) }},
	{rulefile.OpOr, 2, 2, false, func(x, y, _ uint32) uint32 { return mask(x != 0 || y != 0) }},
	{rulefile.OpNot, 1, 1, false, func(x, _, _ uint32) uint32 { return mask(x == 0) }},
	{rulefile.OpSelect, 3, 1, false, func(x, y, z uint32) uint32 {
		if x != 0 {
			return y
		}
		return z
	}},
}

func inFloat64(f func(x, y float64) float64) func(x, y, z uint32) uint32 {
	wide := func(x uint32) float64 { return float64(math.Float32frombits(x)) }
	return func(x, y, _ uint32) uint32 { return math.Float32bits(float32(f(wide(x), wide(y)))) }
}

func isNaN(x uint32) bool { return x<<1 > 0xff<<24 }

// rank orders numbers, with -0 before 0.
func rank(x uint32) int64 {
	if x>>31 == 1 {
		return -int64(x<<1>>1) - 1
	}
	return int64(x)
}

func comparison(f func(x, y int64) bool, ofNaN bool) func(x, y, z uint32) uint32 {
	return func(x, y, _ uint32) uint32 {
		if isNaN(x) || isNaN(y) {
			return mask(ofNaN)
		}
		number := func(x uint32) int64 {
			if x<<1 == 0 {
				return 0 // also of -0
			}
			return rank(x)
		}
		return mask(f(number(x), number(y)))
	}
}

func mask(holds bool) uint32 {
	if holds {
		return 0xffffffff
	}
	return 0
}

// hard are numbers with which an operation may go wrong.
var hard = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, 0.5, 2, 3, math.MaxFloat32, -math.MaxFloat32, 0x1p-126, -0x1p-126, 0x1p-149, -0x1p-149, 0x1.fffffcp-127,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), math.Float32frombits(0xffc00001), math.Float32frombits(0x7f800001), math.Float32frombits(0xffbfffff),
	88.72283, 88.72284, -103.97208, -103.97209, -110, -111, 90, 91, 0.70710677, 0.7071068, 1.4142135, 1.4142137,
	// exp of these is almost halfway between two numbers: without its term of degree 11, or with
	// ln 2 in one part, the last result is another.
	math.Float32frombits(0x40197aa8), math.Float32frombits(0x4288942b), math.Float32frombits(0x4283070f),
}

// fillRandom fills a block with random bits, ordinary numbers and hard ones, or with conditions.
func fillRandom(random *rand.Rand, block []float32, condition bool) {
	for i := range block {
		switch kind := random.IntN(4); {
		case condition:
			block[i] = math.Float32frombits(mask(kind%2 == 0))
		case kind == 0:
			block[i] = hard[random.IntN(len(hard))]
		case kind == 1:
			block[i] = float32(random.NormFloat64())
		default:
			block[i] = math.Float32frombits(random.Uint32())
		}
	}
}

// lengths are around and between groups of vectors.
var lengths = func() (all []int) {
	for n := range 71 {
		all = append(all, n)
	}
	return append(all, 1000, 1024)
}()

// eachKind runs a test with vectors and without.
func eachKind(t *testing.T, test func(t *testing.T)) {
	t.Run("vectors", func(t *testing.T) {
		if !hasVectors {
			t.Skip("there are no vectors here")
		}
		test(t)
	})
	t.Run("loops", func(t *testing.T) { withoutVectors(func() { test(t) }) })
}

// guarded is a block with guards in front of and behind it, at an address that is a multiple of
// 4 bytes and not of more.
type guarded struct{ memory, block []float32 }

const guards = 9

func newGuarded(n int) guarded {
	g := guarded{memory: make([]float32, n+2*guards)}
	for i := range g.memory {
		g.memory[i] = math.Float32frombits(guardWord)
	}
	g.block = g.memory[guards:][:n:n]
	return g
}

const guardWord = 0xdeadbeef

func (g guarded) check(t *testing.T, name string) {
	t.Helper()
	n := len(g.block)
	for i, v := range g.memory {
		if (i < guards || i >= guards+n) && math.Float32bits(v) != guardWord {
			t.Fatalf("%s: wrote to %d of %d elements", name, i-guards, n)
		}
	}
}

// Every operation, with blocks, numbers and the block of the results as operands.
func TestElementwise(t *testing.T) {
	const block, number, inPlace, forms = 0, 1, 2, 3
	eachKind(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 0))
		for _, o := range operations {
			for _, n := range lengths {
				for form := range int(math.Pow(forms, float64(o.operands))) {
					to := newGuarded(n)
					fillRandom(random, to.block, o.conditions > 0)
					var x [3]Operand
					var before [3][]float32
					name := fmt.Sprintf("%v of %d elements (seed %d), operands", o.op, n, seed)
					for i, rest := 0, form; i < o.operands; i, rest = i+1, rest/forms {
						switch rest % forms {
						case block:
							x[i].Block = make([]float32, n, n+1)
							fillRandom(random, x[i].Block, i < o.conditions)
							// Some are equal to the first.
							for j := 0; i > 0 && j < n && x[0].Block != nil && o.conditions == 0; j += 3 {
								x[i].Block[j] = x[0].Block[j]
							}
							before[i] = slices.Clone(x[i].Block)
							name += " block"
						case number:
							one := []float32{0}
							fillRandom(random, one, i < o.conditions)
							x[i].Number = one[0]
							before[i] = slices.Repeat(one, n)
							name += " number"
						case inPlace:
							x[i].Block = to.block
							before[i] = slices.Clone(to.block)
							name += " in-place"
						}
					}
					Apply(o.op, to.block, x[:o.operands])
					to.check(t, name)
					for i, got := range to.block {
						var a [3]uint32
						for j := range o.operands {
							a[j] = math.Float32bits(before[j][i])
						}
						if want := o.want(a[0], a[1], a[2]); !same(math.Float32bits(got), want, o.computes) {
							t.Fatalf("%s: element %d, of %#x, is %#x, want %#x", name, i, a, math.Float32bits(got), want)
						}
					}
					for i := range o.operands {
						if x[i].Block != nil && n > 0 && &x[i].Block[0] != &to.block[0] && !slices.EqualFunc(x[i].Block, before[i], sameBits) {
							t.Fatalf("%s: operand %d changed", name, i)
						}
					}
				}
			}
		}
	})
}

// Every operation of numbers, with all pairs of hard ones.
func TestHardNumbers(t *testing.T) {
	eachKind(t, func(t *testing.T) {
		var x, y Operand
		for _, a := range hard {
			for _, b := range hard {
				x.Block, y.Block = append(x.Block, a), append(y.Block, b)
			}
		}
		to := make([]float32, len(x.Block))
		for _, o := range operations {
			if o.conditions > 0 {
				continue
			}
			Apply(o.op, to, []Operand{x, y}[:o.operands])
			for i, got := range to {
				a, b := math.Float32bits(x.Block[i]), math.Float32bits(y.Block[i])
				if want := o.want(a, b, 0); !same(math.Float32bits(got), want, o.computes) {
					t.Errorf("%v of %#x and %#x is %#x, want %#x", o.op, a, b, math.Float32bits(got), want)
				}
			}
		}
	})
}

func sameBits(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }

// same compares bits; any NaN may be as good as another.
func same(got, want uint32, anyNaN bool) bool {
	return got == want || anyNaN && isNaN(got) && isNaN(want)
}

// All operations that are neither leaves, reductions nor the host's are here.
func TestApplyIsComplete(t *testing.T) {
	var missing []string
	for op := rulefile.OpAdd; !op.Reduces(); op++ {
		if !slices.ContainsFunc(operations, func(o operation) bool { return o.op == op }) {
			missing = append(missing, op.String())
		}
	}
	if want := []string{rulefile.OpPower.String(), rulefile.OpF32.String()}; !slices.Equal(missing, want) {
		t.Errorf("not tested are %q, want %q, which the host has", missing, want)
	}
}

// exp and log of a million random numbers, half of them where exp is neither 0 nor infinite. The
// loops are calls of the reference functions.
func TestExpLog(t *testing.T) {
	if !hasVectors {
		t.Skip("there are no vectors here")
	}
	n := 1_000_000
	if testing.Short() {
		n /= 10
	}
	random := rand.New(rand.NewPCG(seed, 1))
	x, y := make([]float32, Size), make([]float32, Size)
	for _, f := range []struct {
		name   string
		vector func(to []float32, x Operand)
		want   func(float32) float32
	}{{"exp", Exp, rulefile.Exp32}, {"log", Log, rulefile.Log32}} {
		for range n/Size + 1 {
			for i := range x {
				x[i] = math.Float32frombits(random.Uint32())
				if i%2 == 0 {
					x[i] = float32(random.NormFloat64() * 40)
				}
			}
			f.vector(y, Operand{Block: x})
			for i, v := range x {
				if want := f.want(v); !same(math.Float32bits(y[i]), math.Float32bits(want), true) {
					t.Fatalf("%s(%g) = %g, want %g (seed %d)", f.name, v, y[i], want, seed)
				}
			}
		}
	}
}

func TestCopy(t *testing.T) {
	eachKind(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 2))
		for _, n := range lengths {
			x := make([]float32, n+1)
			fillRandom(random, x, false)
			for name, operand := range map[string]Operand{"block": {Block: x}, "number": {Number: x[n]}} {
				to := newGuarded(n)
				Copy(to.block, operand)
				to.check(t, name)
				for i, got := range to.block {
					want := x[n]
					if operand.Block != nil {
						want = x[i]
					}
					if !sameBits(got, want) {
						t.Fatalf("copy of a %s: element %d of %d is %g, want %g", name, i, n, got, want)
					}
				}
			}
		}
	})
}

func TestCondition(t *testing.T) {
	for _, holds := range []bool{false, true} {
		to := make([]float32, 1)
		Not(to, Condition(!holds))
		if got := math.Float32bits(to[0]); got != mask(holds) {
			t.Errorf("not %v is %#x", !holds, got)
		}
	}
}

// An operand that is too short panics before anything is written.
func TestShortOperand(t *testing.T) {
	eachKind(t, func(t *testing.T) {
		to := make([]float32, 64)
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
			if to[0] != 0 {
				t.Error("the results have changed")
			}
		}()
		Add(to, Operand{Number: 1}, Operand{Block: make([]float32, 63, 64)})
	})
}

func TestNoAllocation(t *testing.T) {
	x := make([]float32, Size)
	operands := []Operand{{Block: x}, {Number: 1}, {Block: x}}
	var c Columns
	eachKind(t, func(t *testing.T) {
		n := testing.AllocsPerRun(10, func() {
			for _, o := range operations {
				Apply(o.op, x, operands[:o.operands])
			}
			c.Add(0, operands[0], Size)
			c.AddSquares(0, operands[0], Size)
			c.Fold()
			Least(operands[0], Size)
			Greatest(operands[0], Size)
		})
		if n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
