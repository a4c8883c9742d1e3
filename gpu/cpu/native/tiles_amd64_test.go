package native

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"diaghess/gpu/cpu/native/nativetest"
	"diaghess/gpu/vector"
)

// The tiles against Go loops that make the same roundings: equal bits. The memory
// around what a tile may read and write is guard words, and all of the output is
// compared, with the guards.

// guard marks memory around operands and outputs that were not written. No sum is that
// large, and one that is read shows in the output; unlike a NaN it does not come out
// as it is of a sum that is written where it should not be. Scratch memory is poisoned.
const guard = float32(-7.7e30)

var poison = float32(math.NaN())

func filled(n int, v float32) []float32 { return fill(make([]float32, n), v) }

func guards(n int) []float32 { return filled(n, guard) }

func fill(s []float32, v float32) []float32 {
	for i := range s {
		s[i] = v
	}
	return s
}

func newRandom(seed int) *rand.Rand { return rand.New(rand.NewPCG(uint64(seed), 0)) }

func fillNormal(random *rand.Rand, s []float32) {
	for i := range s {
		s[i] = float32(random.NormFloat64())
	}
}

func equalBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: word %d is %v, want the bits of %v", what, i, got[i], want[i])
		}
	}
}

// levels are the levels of vectors of this process, AVX2 first.
func levels(t *testing.T) []vector.Level {
	best, err := vector.Supported()
	if err != nil {
		t.Fatal(err)
	}
	switch best {
	case vector.None:
		t.Skip("this process has no vectors")
	case vector.AVX2:
		t.Log("this process has AVX2 only: levels are not compared")
	}
	return []vector.Level{vector.AVX2, vector.AVX512}[:best]
}

// fma is float32's fused multiply-add of finite numbers. The sum in float64 is
// rounded to odd, so that rounding it again is as if it had been exact.
func fma(a, b, c float32) float32 {
	product, addend := float64(a)*float64(b), float64(c) // exact
	sum := product + addend
	shared := sum - product
	lost := product - (sum - shared) + (addend - shared)
	if bits := math.Float64bits(sum); lost != 0 && bits&1 == 0 {
		if (lost > 0) == (sum > 0) {
			bits++
		} else {
			bits--
		}
		sum = math.Float64frombits(bits)
	}
	return float32(sum)
}

// pick returns one of the values.
func pick[T any](random *rand.Rand, values ...T) T { return values[random.IntN(len(values))] }

const seedsPerTile = 100

func TestProduct(t *testing.T) {
	widths := map[vector.Level][]int{vector.AVX2: {16}, vector.AVX512: {32, 64}}
	for _, level := range levels(t) {
		for _, columns := range widths[level] {
			for seed := range seedsPerTile {
				testProduct(t, columns, newRandom(seed), fmt.Sprintf("%d columns, seed %d", columns, seed))
			}
		}
	}
}

func testProduct(t *testing.T, columns int, random *rand.Rand, what string) {
	length, segments, skip := pick(random, 1, 3, 31, 33), pick(random, 1, 2, 5), pick(random, 0, 7)
	ldb, ldc, span := columns+pick(random, 0, 5), columns+pick(random, 0, 5), segments*(length+skip)
	a, b, c := guards(1+tileRows*span), guards(1+segments*length*ldb), guards(1+tileRows*ldc)
	p := product{b: at(b, 1), c: at(c, 1), ldb: 4 * ldb, ldc: 4 * ldc, length: 4 * length, segments: segments, skip: 4 * skip}
	begins := random.Perm(tileRows) // rows of A are anywhere
	for i := range begins {
		begins[i] = 1 + begins[i]*span
		p.a[i] = at(a, begins[i])
		for segment := range segments {
			fillNormal(random, a[begins[i]+segment*(length+skip):][:length])
		}
	}
	for row := range segments * length {
		fillNormal(random, b[1+row*ldb:][:columns])
	}
	want := slices.Clone(c)
	for i, begin := range begins {
		for column := range columns {
			sum := float32(0)
			for row := range segments * length {
				sum = fma(a[begin+row/length*(length+skip)+row%length], b[1+row*ldb+column], sum)
			}
			want[1+i*ldc+column] = sum
		}
	}
	multiply(columns, &p)
	equalBits(t, what, c, want)
}

func TestOuter(t *testing.T) {
	tiles := map[vector.Level][][2]int{vector.AVX2: {{6, 16}, {3, 32}}, vector.AVX512: {{12, 32}, {9, 32}, {8, 32}, {6, 64}, {4, 64}}}
	for _, level := range levels(t) {
		for _, tile := range tiles[level] {
			for seed := range seedsPerTile {
				testOuter(t, tile[0], tile[1], newRandom(seed), fmt.Sprintf("tile %v, seed %d", tile, seed))
			}
		}
	}
}

func testOuter(t *testing.T, rows, columns int, random *rand.Rand, what string) {
	lines, width := pick(random, 1, 3, 5), pick(random, 1, 7, 33) // of pixels
	step, skip := pick(random, 2, rows, rows+5), pick(random, 0, 7)
	ldy, ldc, n := columns+pick(random, 0, 5), columns+pick(random, 0, 5), lines*width
	begin := func(pixel int) int { return 1 + pixel*step + pixel/width*skip }
	x, y, c := guards(begin(n-1)+rows), guards(1+n*ldy), guards(1+rows*ldc)
	p := outer{
		x: at(x, 1), y: at(y, 1), c: at(c, 1), ldc: 4 * ldc, rows: lines, columns: width,
		xStep: 4 * step, xSkip: 4 * skip, yStep: 4 * ldy, add: pick(random, 0, 1),
	}
	for pixel := range n {
		fillNormal(random, x[begin(pixel):][:rows])
		fillNormal(random, y[1+pixel*ldy:][:columns])
	}
	want := slices.Clone(c)
	for i := range rows {
		if p.add != 0 {
			fillNormal(random, c[1+i*ldc:][:columns])
		}
		for column := range columns {
			sum := float32(0)
			for pixel := range n {
				sum = fma(x[begin(pixel)+i], y[1+pixel*ldy+column], sum)
			}
			if p.add != 0 {
				sum += c[1+i*ldc+column]
			}
			want[1+i*ldc+column] = sum
		}
	}
	accumulate(rows, columns, &p)
	equalBits(t, what, c, want)
}

func TestAddTo(t *testing.T) {
	levels(t)
	for _, n := range []int{0, 1, 7, 8, 9, 31, 33, 257, 1000} {
		random := newRandom(n)
		to, from := guards(n+2), guards(n+2)
		fillNormal(random, to[1:1+n])
		fillNormal(random, from[1:1+n])
		want := slices.Clone(to)
		for i := 1; i <= n; i++ {
			want[i] += from[i]
		}
		AddTo(to[1:1+n], from[1:1+n])
		equalBits(t, fmt.Sprintf("%d elements", n), to, want)
	}
}

// Each transform is T X T^T, off by no more than its roundings allow, and has the same
// bits at each level.
func TestTransforms(t *testing.T) {
	all := levels(t)
	for _, c := range []struct {
		name    string
		run     func(lanes, *transform)
		formula nativetest.Transform
	}{
		{"input", lanes.input, nativetest.Input},
		{"filter", lanes.filter, nativetest.Filter},
		{"output", lanes.output, nativetest.Output},
		{"output gradient", lanes.outputGradient, nativetest.OutputGradient},
		{"filter gradient", lanes.filterGradient, nativetest.FilterGradient},
	} {
		for _, channels := range []int{8, 16, 24, 48, 80} {
			var results [][]float32
			for _, level := range all {
				if width := 8 * int(level); channels%width == 0 {
					what := fmt.Sprintf("%s, %d channels, %v", c.name, channels, level)
					results = append(results, testTransform(t, what, c.run, lanes(width), c.formula, channels))
					equalBits(t, what+" against AVX2", results[len(results)-1], results[0])
				}
			}
		}
	}
}

func testTransform(t *testing.T, what string, run func(lanes, *transform), width lanes, formula nativetest.Transform, channels int) []float32 {
	from, to := formula.From(), formula.To()
	column := channels + 3
	fromRow, toRow := from*column+5, to*column+7
	x, y, scratch := guards(1+from*fromRow), guards(1+to*toRow), guards(products*16)
	place := func(k, extent, row int) int { return 1 + k/extent*row + k%extent*column }
	random := newRandom(channels)
	for k := range from * from {
		fillNormal(random, x[place(k, from, fromRow):][:channels])
	}
	run(width, &transform{
		from: at(x, 1), fromRow: 4 * fromRow, fromColumn: 4 * column, to: at(y, 1), toRow: 4 * toRow, toColumn: 4 * column,
		vectors: channels / int(width), scratch: at(scratch, 0),
	})
	result := slices.Clone(y)
	for channel := range channels {
		square := make([]float64, from*from)
		for k := range square {
			square[k] = float64(x[place(k, from, fromRow)+channel])
		}
		sizes := formula.Absolute(square)
		for k, want := range formula.Of(square) {
			got := &y[place(k, to, toRow)+channel]
			tolerance := nativetest.Gamma(formula.Roundings) * sizes[k]
			if off := math.Abs(float64(*got) - want); !(off <= tolerance) {
				t.Fatalf("%s: place %d of channel %d is %v, want %v: off by %.2g, tolerance %.2g", what, k, channel, *got, want, off, tolerance)
			}
			*got = guard // what has been looked at; the rest must be guards already
		}
	}
	equalBits(t, what+": guards", y, guards(len(y)))
	return result
}
