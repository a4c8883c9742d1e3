package rulefile

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

// trajectory is a case of testdata/trajectories.json; testdata/README.md says how they were
// made.
type trajectory struct {
	Rule, Text string // the text of a rule without a file
	H          string // none, signed or nonnegative
	Special    bool   // NaN, infinities and the like among the gradients
	Shapes     [][]int
	Rates      []float64
	Numbers    map[string]float64
	Booleans   map[string]bool
	Arrays     map[string]string // at the end: the base64 of the elements' bits, or their SHA-256
}

const trajectoryStepsPerEpoch = 2

func (c *trajectory) name() string {
	name := fmt.Sprintf("%s,h=%s,special=%v,%v", c.Rule, c.H, c.Special, c.Shapes[1])
	for k, v := range c.Numbers {
		name += fmt.Sprintf(",%s=%g", k, v)
	}
	for k, v := range c.Booleans {
		name += fmt.Sprintf(",%s=%v", k, v)
	}
	return name
}

// large says whether a tensor has several chunks.
func (c *trajectory) large() bool { return c.run().Tensors[1].Elements > chunkElements }

func (c *trajectory) diagonal() Diagonal {
	return map[string]Diagonal{"none": NoDiagonal, "signed": AnyDiagonal, "nonnegative": NonNegativeDiagonal}[c.H]
}

func (c *trajectory) run() Run {
	run := Run{Keys: c.Numbers, Rates: c.Rates, StepsPerEpoch: trajectoryStepsPerEpoch}
	for _, shape := range c.Shapes {
		elements := 1
		for _, n := range shape {
			elements *= n
		}
		run.Tensors = append(run.Tensors, Shape{elements, len(shape)})
	}
	return run
}

// splitMix is the output function of SplitMix64 (Steele, Lea and Flood 2014).
func splitMix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// given is an element of the given arrays: a number of 24 bits over 16 binades, or 0.
func given(purpose, step, tensor, element int) float32 {
	u := splitMix(uint64(((purpose*64+step)*8+tensor)*65536 + element))
	if u>>4%32 == 0 {
		return 0
	}
	return float32(math.Ldexp(float64(u>>40)-0x1p23, -23-int(u%16)))
}

// tensors returns weights (purpose 0), gradients (1) or a curvature (2) of a step.
func (c *trajectory) tensors(purpose, step int) (all [][]float32) {
	for i, shape := range c.run().Tensors {
		x := make([]float32, shape.Elements)
		for j := range x {
			x[j] = given(purpose, step, i, j)
			if purpose == 2 && c.H == "nonnegative" {
				x[j] = float32(math.Abs(float64(x[j])))
			}
		}
		all = append(all, x)
	}
	if purpose == 1 && c.Special {
		all[1][step%7] = [...]float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}[step%3]
		all[1][8], all[2][step] = 1e-40, float32(math.Copysign(0, -1))
	}
	return all
}

func (c *trajectory) loss(step int) float32 { return float32(math.Abs(float64(given(3, step, 0, 0)))) }

// bits are those of all elements, in order, little end first. All NaNs are equal.
func elementBits(tensors [][]float32) (bits []byte) {
	for _, x := range slices.Concat(tensors...) {
		b := math.Float32bits(x)
		if x != x {
			b = 0x7fc00000
		}
		bits = binary.LittleEndian.AppendUint32(bits, b)
	}
	return bits
}

func trajectories(t testing.TB) (all []*trajectory) {
	t.Helper()
	text, err := os.ReadFile("testdata/trajectories.json")
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil || len(all) < 40 {
		t.Fatal(len(all), err)
	}
	texts := ruleFiles(t)
	for _, c := range all {
		if c.Text == "" {
			c.Text = texts[c.Rule]
		}
	}
	return all
}

// interpreted runs a program over a case, a step by Interpret or another function.
func interpreted(t *testing.T, c *trajectory, p *Program, step func(*Coefficients, int, *State, [][]float32, [][]float32, float32)) (map[string][][]float32, *Coefficients) {
	coefficients, err := p.Coefficients(c.run())
	if err != nil {
		t.Fatal(err)
	}
	s := p.Rule.Start(c.tensors(0, 0))
	for i := range c.Rates {
		var h [][]float32
		if c.H != "none" {
			h = c.tensors(2, i)
		}
		step(coefficients, i, s, c.tensors(1, i), h, c.loss(i))
	}
	arrays := map[string][][]float32{"w": s.Weights}
	for i, slot := range p.Rule.Slots {
		arrays[slot.Name] = s.Slots[i]
	}
	if p.Rule.Evaluates {
		arrays["eval"] = p.InterpretEvaluation(coefficients, s)
	}
	return arrays, coefficients
}

// The interpreter follows the trajectories of the language's prototype bit for bit.
func TestTrajectories(t *testing.T) {
	for _, c := range trajectories(t) {
		t.Run(c.name(), func(t *testing.T) {
			p := compiled(t, c.Text, c.Booleans, c.diagonal())
			got, _ := interpreted(t, c, p, p.Interpret)
			if len(got) != len(c.Arrays) {
				t.Errorf("%d arrays, want %d", len(got), len(c.Arrays))
			}
			for name, want := range c.Arrays {
				bits := elementBits(got[name])
				if strings.HasPrefix(want, "sha256:") {
					if sum := fmt.Sprintf("sha256:%x", sha256.Sum256(bits)); sum != want {
						t.Errorf("%s has %s, want %s", name, sum, want)
					}
					continue
				}
				wanted, err := base64.StdEncoding.DecodeString(want)
				if err != nil || len(wanted) != len(bits) {
					t.Fatal(name, len(wanted), len(bits), err)
				}
				for i := 0; i < len(bits); i += 4 {
					if !slices.Equal(bits[i:i+4], wanted[i:i+4]) {
						t.Fatalf("element %d of %s is %g, want %g", i/4, name, math.Float32frombits(binary.LittleEndian.Uint32(bits[i:])), math.Float32frombits(binary.LittleEndian.Uint32(wanted[i:])))
					}
				}
			}
		})
	}
}

// byPasses is Interpret as a device does it: pass by pass, with only what each reads.
func (p *Program) byPasses(t *testing.T) func(*Coefficients, int, *State, [][]float32, [][]float32, float32) {
	return func(c *Coefficients, step int, s *State, gradients, curvature [][]float32, loss float32) {
		reductions := map[int][][]float32{}
		for _, pass := range p.Passes {
			m := p.machine(c, step, s, gradients, curvature, loss)
			for i, x := range reductions {
				m.x[i] = x
			}
			for _, i := range pass.Scalars {
				if !p.Values[i].Op.Reduces() {
					m.compute(i)
				}
				if p.Values[i].Kind == Element || p.Values[i].Host {
					t.Fatalf("value %d of kind %s is a scalar", i, p.Values[i].Kind)
				}
			}
			for _, r := range pass.Reads {
				m.x[r.Value] = m.arrays[r.Array]
			}
			for _, i := range pass.Values {
				m.compute(i)
			}
			for _, i := range pass.Reductions {
				m.compute(i)
				reductions[i] = m.x[i]
			}
			m.store(s, pass.Stores)
		}
	}
}

// The passes of each program compute what its operations in their order do.
func TestPassesCompute(t *testing.T) {
	for _, c := range trajectories(t) {
		t.Run(c.name(), func(t *testing.T) {
			p := compiled(t, c.Text, c.Booleans, c.diagonal())
			want, _ := interpreted(t, c, p, p.Interpret)
			got, _ := interpreted(t, c, p, p.byPasses(t))
			for name := range want {
				if !slices.Equal(elementBits(got[name]), elementBits(want[name])) {
					t.Errorf("%s differs", name)
				}
			}
		})
	}
}

// The order of a sum shows where float64 rounds: 1 is lost beside 2^60, and kept where 2^60
// has left before it comes.
func TestOrderOfSums(t *testing.T) {
	const big = 1 << 60
	for _, c := range []struct {
		what     string
		elements map[int]float32
		want     float64
	}{
		{"a column is added in turn", map[int]float32{0: big, 1024: 1, 2048: -big}, 0},
		{"a column is added in turn", map[int]float32{0: big, 1024: -big, 2048: 1}, 1},
		{"there are 1024 columns", map[int]float32{0: big, 512: 1, 1024: -big}, 1},
		{"another column is added later", map[int]float32{0: big, 1: 1, 1024: -big}, 1},
		{"columns fold by halves, the farthest first", map[int]float32{0: big, 512: -big, 256: 1}, 1},
		{"columns fold by halves, the nearest last", map[int]float32{0: big, 1: -big, 512: 1}, 0},
		{"a chunk has 4096 elements", map[int]float32{0: big, 4096: 1, 3072: -big}, 1},
		{"chunks are added in columns", map[int]float32{0: big, 4096: 1, 256 * 4096: -big}, 1},
		{"chunks are added in columns", map[int]float32{0: big, 256 * 4096: 1, 512 * 4096: -big}, 0},
		{"chunks have 256 columns", map[int]float32{0: big, 128 * 4096: 1, 256 * 4096: -big}, 1},
		{"columns of chunks fold by halves", map[int]float32{0: big, 4096 * 128: -big, 4096 * 64: 1}, 1},
		{"columns of chunks fold by halves", map[int]float32{0: big, 4096: -big, 4096 * 128: 1}, 0},
	} {
		last := 0
		for i := range c.elements {
			last = max(last, i)
		}
		x := make([]float32, last+1)
		for i, v := range c.elements {
			x[i] = v
		}
		if got := chunked(x, false); got != c.want {
			t.Errorf("%s: %v gives %g, want %g", c.what, c.elements, got, c.want)
		}
	}
	if got := columns([]float64{0: big, 255: 0, 256: 1, 512: -big}, sumColumns); got != 0 {
		t.Errorf("tensors are added in turn in columns of 256: got %g", got)
	}
}

// What operations do with zeros of both signs, NaN and infinities. 1/x tells the zeros apart.
func TestSpecialNumbers(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	zero := float32(math.Copysign(0, -1))
	for _, c := range []struct {
		formula string
		g, m    float32
		want    float32
	}{
		{"min(g, m)", 0, zero, zero}, {"min(g, m)", zero, 0, zero}, {"max(g, m)", zero, 0, 0}, {"max(g, m)", 0, zero, 0},
		{"min(g, m)", nan, 1, nan}, {"min(g, m)", 1, nan, nan}, {"max(g, m)", nan, 1, nan}, {"max(g, m)", inf, nan, nan},
		{"clip(g, -1, 1)", nan, 0, nan}, {"clip(g, -1, 1)", -inf, 0, -1}, {"clip(g, 0, 1)", zero, 0, 0}, {"clip(g, 2, 1)", 5, 0, 1},
		{"sign(g)", nan, 0, nan}, {"sign(g)", zero, 0, zero}, {"sign(g)", 0, 0, 0}, {"sign(g)", -inf, 0, -1}, {"sign(g)", 1e-45, 0, 1},
		{"-g", 0, 0, zero}, {"0 - g", 0, 0, 0}, {"abs(g)", zero, 0, 0}, {"abs(g)", -inf, 0, inf},
		{"sqrt(g)", zero, 0, zero}, {"sqrt(g)", -1, 0, nan}, {"sqrt(g)", inf, 0, inf}, {"g / m", 1, zero, -inf}, {"g / m", 0, 0, nan},
		{"g + m", zero, zero, zero}, {"g + m", zero, 0, 0}, {"g * m", zero, 1, zero}, {"g - m", inf, inf, nan},
		{"where(g < m, 1, 2)", nan, 1, 2}, {"where(g <= m, 1, 2)", nan, nan, 2}, {"where(g == m, 1, 2)", nan, nan, 2}, {"where(g != m, 1, 2)", nan, nan, 1},
		{"where(g > m, 1, 2)", nan, 1, 2}, {"where(g >= m, 1, 2)", 1, nan, 2}, {"where(not (g < m), 1, 2)", nan, 1, 1}, {"where(g == m, 1, 2)", zero, 0, 1},
		{"where(isfinite(g), g, m)", nan, 3, 3}, {"where(isfinite(g), g, m)", -inf, 3, 3}, {"where(isfinite(g), g, m)", 1e-45, 3, 1e-45}, {"where(g > 0, g, m / 0)", 1, 0, 1},
		{"exp(g)", nan, 0, nan}, {"exp(g)", -inf, 0, 0}, {"exp(g)", inf, 0, inf}, {"log(g)", zero, 0, -inf}, {"log(g)", -1, 0, nan}, {"log(g)", inf, 0, inf},
		{"tensor.min(g)", zero, 0, 0}, {"tensor.max(g)", zero, 0, 0}, {"tensor.min(g)", nan, 0, nan}, {"all.max(g)", nan, 0, nan}, {"all.min(g)", zero, 0, 0},
		{"tensor.sum(g)", zero, 0, 0}, {"tensor.norm(g)", -inf, 0, inf}, {"all.mean(g)", nan, 0, nan},
		// Products and sums are rounded one by one: fused, these would be 2^-24 and 2^-46.
		{"g * g - m", 1 + 0x1p-12, 1 + 0x1p-11, 0}, {"g * g * g - m", 1 + 0x1p-23, 1 + 3*0x1p-23, 0},
		{"g^3", 3, 0, 27}, {"g^2 * m", 1e-30, 1e30, 0}, {"g / 3 * 3", 1e-45, 0, 0},
	} {
		p := compiled(t, "m = "+c.formula+"\nw -= lr * g", nil, NoDiagonal)
		coefficients, err := p.Coefficients(Run{Rates: []float64{1}, StepsPerEpoch: 1, Tensors: []Shape{{1, 1}}})
		if err != nil {
			t.Fatal(err)
		}
		s := p.Rule.Start([][]float32{{1}})
		s.Slots[0] = [][]float32{{c.m}}
		p.Interpret(coefficients, 0, s, [][]float32{{c.g}}, nil, 0)
		if got := s.Slots[0]; !slices.Equal(elementBits(got), elementBits([][]float32{{c.want}})) {
			t.Errorf("%s with g = %g and m = %g is %g, want %g", c.formula, c.g, c.m, got[0][0], c.want)
		}
	}
}
