package trial

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"diaghess/optim/rulefile"
	"diaghess/optim/rulefile/fused"
)

const descent = `rule descent "gradient descent"
key lr = 0.05 in (0, inf) log "learning rate"
w -= lr * g
`

func trialOf(t *testing.T, text string, h rulefile.Diagonal) *Trial {
	t.Helper()
	rule, err := rulefile.Parse("my.rule", text)
	if err != nil {
		t.Fatal(err)
	}
	p, err := rulefile.Compile(rule, nil, h)
	if err != nil {
		t.Fatal(err)
	}
	k, err := fused.New(p)
	if err != nil {
		t.Fatal(err)
	}
	return &Trial{Kernels: k, Diagonal: h}
}

// All rules of the program pass; what is known of the curvature takes turns.
func TestShippedRules(t *testing.T) {
	for i, name := range rulefile.Builtin() {
		h := rulefile.NoDiagonal
		if text := rulefile.Source(name); strings.Contains(text, "\ncurvature ") {
			h = []rulefile.Diagonal{rulefile.AnyDiagonal, rulefile.NonNegativeDiagonal}[i%2]
		}
		if err := trialOf(t, rulefile.Source(name), h).Emulate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A kernel that differs from the formulas is found, and so is one that writes too much.
func TestEmulateFindsFaults(t *testing.T) {
	own := func(body string) *Trial {
		text := `//! rule own "of one's own"
//! key lr = 0.05 in (0, inf) log "learning rate"
.version 7.0
.target sm_75
.address_size 64
.visible .entry rule_own(.param .u64 w, .param .u64 g, .param .u64 chunks, .param .u64 state, .param .u64 steps)
{
  .reg .pred %p;
  .reg .b32 %block, %offset, %n, %i, %at;
  .reg .b64 %chunks, %w, %skip;
  .reg .f32 %x;
  ld.param.u64 %w, [w];
  ld.param.u64 %chunks, [chunks];
  mov.u32 %block, %ctaid.x;
  mad.wide.u32 %chunks, %block, 16, %chunks;
  ld.global.v2.u32 {%offset, %n}, [%chunks];
  mov.u32 %i, %tid.x;
` + body + `
  add.u32 %at, %offset, %i;
  mul.wide.u32 %skip, %at, 4;
  add.s64 %w, %w, %skip;
  ld.global.f32 %x, [%w];
  add.rn.f32 %x, %x, 0f3f800000;
  st.global.f32 [%w], %x;
  ret;
}
`
		rule, err := rulefile.ParseKernel("own.ptx", text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := rulefile.Compile(rule, nil, rulefile.NoDiagonal)
		if err != nil {
			t.Fatal(err)
		}
		return &Trial{Kernels: fused.Own(p, "own.ptx", text)}
	}
	for body, want := range map[string]string{
		"setp.ge.u32 %p, %i, %n;\n@%p ret;": "",
		"setp.gt.u32 %p, %i, %n;\n@%p ret;": "w is written behind the end of a tensor of",
		"":                                  "race in global memory", // of chunks beside each other
		"and.b32 %i, %i, 127;\nsetp.ge.u32 %p, %i, %n;\n@%p ret;":      "race in global memory",
		"add.u32 %i, %i, 100000;":                                      "own.ptx:",
		"ld.global.f32 %x, [%skip];\nsetp.ge.u32 %p, %i, 0;\n@%p ret;": "own.ptx:",
	} {
		err := own(body).Emulate()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", body, err, want)
		}
	}
	want := []array{{"w", [][]float32{{1, 2}}}}
	for _, last := range []float32{2, math.Nextafter32(2, 3)} {
		where := different([]array{{"w", [][]float32{{1, last}}}}, want)
		if (where == "") != (last == 2) {
			t.Errorf("%v in place of 2: %q", last, where)
		}
	}
}

// On the quadratic, gradient descent multiplies 1 - w by 1 - lr c in each step. A step rounds
// four operations on numbers of at most 1 + 16, each by 2^-24 of them; the factor's size is at
// most 1, so errors add up.
func TestQuadratic(t *testing.T) {
	const rate, steps = 0.05, 10
	points, err := trialOf(t, descent, rulefile.NoDiagonal).Quadratic(rate, steps)
	if err != nil || len(points) != steps+1 {
		t.Fatal(len(points), err)
	}
	for _, p := range points {
		loss := 0.0
		for i, c := range Curvatures() {
			left := math.Pow(1-rate*float64(c), float64(p.Step))
			loss += float64(c) * left * left / 2
			if off := math.Abs(float64(p.W[i]) - (1 - left)); off > float64(p.Step)*4*17/(1<<24) {
				t.Errorf("step %d, c=%g: w is %v, want %v", p.Step, c, p.W[i], 1-left)
			}
		}
		if math.Abs(p.Loss-loss) > 1e-4*(1+loss) {
			t.Errorf("step %d: the loss is %v, want %v", p.Step, p.Loss, loss)
		}
	}
	// The curvature and the loss are those of the quadratic: Newton's step goes to its minimum.
	const newton = `rule newton "Newton's step, as long as the loss is not 0"
key lr = 1 in (0, inf) "learning rate"
curvature gnb
w -= where(loss > 10, lr * g / h, 0)
`
	if points, err = trialOf(t, newton, rulefile.NonNegativeDiagonal).Quadratic(1, 2); err != nil || fmt.Sprint(points[1].W, points[0].Loss, points[2].Loss) != "[1 1 1] 10.5 0" {
		t.Errorf("Newton's method goes %v, %v", points, err)
	}
}

// Numbers of the host that are not finite, or vanish in float32, are told, each once.
func TestWarnings(t *testing.T) {
	const text = `rule poles "divisions by zero"
key lr = 0.5 in (0, inf) log "learning rate"
key a = 1 in [0, 1] "one"
key tiny = 1 in [0, 1] "a factor"
late = 1 / (t - 3)
w -= lr * g * late * (lr0 / (1 - a)) / (rank - 2) * tiny^2 * (tiny^2)^t
`
	for _, c := range []struct {
		keys map[string]float64
		want string
	}{
		{nil, "[my.rule:6:23: the number is +Inf my.rule:5:8: the number is +Inf at step 3]"},
		{map[string]float64{"a": 0}, "[my.rule:5:8: the number is +Inf at step 3]"},
		{map[string]float64{"a": 0, "tiny": 1e-25}, "[my.rule:6:53: the number is 1e-50, which is 0 in float32 my.rule:5:8: the number is +Inf at step 3 my.rule:6:63: the number is 1e-50, which is 0 in float32, at step 1]"},
	} {
		of := trialOf(t, text, rulefile.NoDiagonal)
		of.Keys = c.keys
		list, err := of.Warnings(0.5, 10, 5)
		if err != nil || fmt.Sprint(list) != c.want {
			t.Errorf("%v, %v, want %s", list, err, c.want)
		}
	}
}

// Without reductions and with one number a step, a kernel asks for little more than it needs.
func TestTraffic(t *testing.T) {
	traffic, err := trialOf(t, descent, rulefile.NoDiagonal).Traffic()
	if err != nil || len(traffic) != 1 {
		t.Fatal(traffic, err)
	}
	if k := traffic[0]; k.Entry != "rule_descent" || k.Needed != 12 || k.Asked < 12 || k.Asked > 13.2 {
		t.Errorf("%+v, want 12 bytes an element, at most a tenth more asked for", k)
	}
}
