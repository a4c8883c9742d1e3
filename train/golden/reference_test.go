package golden

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Each reference is recomputed in float64, by the formulas of its program. What float32
// does to the program's own operations is at most
//
//	steps (roundings 2^-24 max |w| + 2^-20 max |step|)
//
// Each step rounds w some times, by at most half a unit in the last place, 2^-24 |w|: see
// roundingsOfW. The step itself has at most 16 roundings, 2^-20 = 16/2^24, which may all
// go one way. Sums can cancel, so the second part is of the largest step of the tensor so
// far, and the first one of its largest w. Muon's step has more: five times three products
// of matrices. There 16 is measured: see the README in folder reference.
//
// Of Muon in bfloat16 the formulas round where the program does. But a sum that is within
// float32's rounding of the middle between two bfloat16 numbers is rounded either way, and
// the iteration goes on from there. These are few of its roundings. All of them together
// move the result by its distance from the same without them. Half of that is tolerated.
func TestReferences(t *testing.T) {
	for _, r := range readReferences(t) {
		t.Run(r.Name, func(t *testing.T) {
			share, at := distance(t, r, "")
			t.Logf("used of the tolerance: %.2g, %s", share, at)
			if share > 1 {
				t.Errorf("off by %.3g times the tolerance, %s", share, at)
			}
		})
	}
}

// Formulas that papers or other programs have in place of the reference's are outside the
// tolerance. The references tell them apart.
func TestReferencesTellApart(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	for _, other := range []struct{ reference, formula string }{
		{"adamw_torch/schedule", "eps beside the uncorrected root"},
		{"nadam_torch/default", "look-ahead of a constant momentum"},
		{"sgd/nesterov", "no look-ahead"},
		{"lion/default", "sign of the momentum"},
		{"ademamix/decay", "ramp from step 0"},
		{"ademamix/decay", "slow momentum with a correction"},
		{"nadamw/default", "corrections of the next step"},
		{"adopt/default", "bound of the next step"},
		{"adopt/decay", "decay in the first step"},
		{"cautious/schedule", "eps beside the corrected root"},
		{"cautious/default", "share with one more"},
		{"lamb/default", "with corrections"},
		{"lamb/default", "decay of vectors"},
		{"schedulefree/decay", "weights without the rate"},
		{"schedulefree/decay", "decay of z at z"},
		{"muon/default", "filters scaled as matrices"},
		{"muon/default", "no scale"},
		{"muon/decay", "decay scaled"},
		{"muon/schedule", "no look-ahead"},
		{"muon/bfloat16", "float32"},
		{"muon_torch/default", "roundings of the author"},
		{"muon_torch/adamw-size", "roundings of the author"},
	} {
		t.Run(other.reference+"/"+other.formula, func(t *testing.T) {
			all := readReferences(t)
			i := slices.IndexFunc(all, func(r *Reference) bool { return r.Name == other.reference })
			if i < 0 {
				t.Fatal("no such reference")
			}
			share, at := distance(t, all[i], other.formula)
			t.Logf("off by %.3g times the tolerance, %s", share, at)
			if share <= 1 {
				t.Errorf("the reference does not tell it apart: off by %.2g times the tolerance", share)
			}
		})
	}
}

func readReferences(t *testing.T) []*Reference {
	t.Helper()
	all := need(need(Open("reference"))(t).References())(t)
	if len(all) == 0 {
		t.Fatal("no reference")
	}
	return all
}

func TestReferencesFails(t *testing.T) {
	const (
		float = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }"
		whole = "{'descr': '<i4', 'fortran_order': False, 'shape': (1,), }"
		zero  = "\x00\x00\x00\x00"
		one   = "\x01\x00\x00\x00"
	)
	of := func(shape, values string) string { return npyFile(fmt.Sprintf(float, shape), values) }
	for _, c := range []struct{ name, array, content, wrong string }{
		{name: "right"},
		{"a sampled element outside", "sampled/x", npyFile(whole, one), "none of its 1"},
		{"no noise", "noise", of("0,", ""), "noise is empty"},
		{"a step too many", "sgd/a/w", of("3, 1", zero+zero+zero), "[3 1]"},
		{"an element too many", "sgd/a/w", of("2, 2", zero+zero+zero+zero), "[2 2]"},
		{"an element of eval too many", "sgd/a/eval", of("2, 2", zero+zero+zero+zero), "[2 2]"},
		{"another type", "sgd/a/w", npyFile(whole, one), "<i4"},
	} {
		arrays := map[string]string{"noise.npy": of("1,", one), "w0/x.npy": of("1,", one), "sampled/x.npy": npyFile(whole, zero), "sgd/a/w.npy": of("2, 1", zero+one)}
		if c.array != "" {
			arrays[c.array+".npy"] = c.content
		}
		folder := writeSet(t, arrays)
		const manifest = `{"cases": {"small": {"file": "small.npz", "kind": "reference", "checks": {}, "config": {"steps": 2, "steps_per_epoch": 1,
			"saved_after": [1, 2], "shift": 1, "tensors": [{"name": "x"}], "cases": [{"name": "sgd/a", "optimizer": "sgd:lr=1", "program": "none"}]}}}}`
		if err := os.WriteFile(filepath.Join(folder, "manifest.json"), []byte(manifest), 0o644); err != nil {
			t.Fatal(err)
		}
		all, err := need(Open(folder))(t).References()
		switch {
		case c.wrong != "":
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s: the error is %v, want one with %q", c.name, err, c.wrong)
			}
		case err != nil || len(all) != 1 || len(all[0].Saved) != 2 || all[0].Saved[1].W[0][0] != math.SmallestNonzeroFloat32:
			t.Errorf("%s: read %+v, %v", c.name, all, err)
		}
	}
}

// In a first step in bfloat16 most matrices have no sum that is rounded the other way. So
// their steps are the program's, and those with a rounding in another place are not.
func TestReferencesRound(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	within := func(r *Reference, other string) (matrices, near int) {
		follow(t, r, other, func(p point) {
			if p.step == 1 && p.kind == "w" && len(p.tensor.Shape) > 1 {
				matrices++
				if share, _ := p.farthest(p.rounding); share <= 1 {
					near++
				}
			}
		})
		return matrices, near
	}
	others := map[string]string{"muon/bfloat16": "roundings of torch", "muon/bfloat16-schedule": "roundings of torch", "muon_torch/default": "roundings of the author", "muon_torch/adamw-size": "roundings of the author"}
	tested := 0
	for _, r := range readReferences(t) {
		other, ok := others[r.Name]
		if !ok {
			continue
		}
		tested++
		if matrices, near := within(r, ""); 2*near < matrices {
			t.Errorf("%s: after one step %d of %d matrices are within float32's rounding, want half", r.Name, near, matrices)
		}
		if matrices, near := within(r, other); near > 0 {
			t.Errorf("%s with the %s: after one step %d of %d matrices are within float32's rounding, want none", r.Name, other, near, matrices)
		}
	}
	if tested != len(others) {
		t.Errorf("%d references in bfloat16, want %d", tested, len(others))
	}
}

// distance returns how far a reference is from its formula in float64, as a share of the
// tolerance, and where it is farthest. other names a formula in place of one in it; "" for
// the reference's own.
func distance(t *testing.T, r *Reference, other string) (share float64, at string) {
	follow(t, r, other, func(p point) {
		if s, i := p.farthest(p.rounding + p.apart/2); s > share {
			element := p.tensor.Sampled[i]
			share, at = s, fmt.Sprintf("%s of %s, element %d, step %d: program %.9g, formula %.9g", p.kind, p.tensor.Name, element, p.step, p.want[i], p.got[element])
		}
	})
	return share, at
}

// point is a tensor at a step that is saved.
type point struct {
	tensor ReferenceTensor
	step   int
	kind   string // w or eval
	got    []float64
	want   []float32 // the sampled elements
	// rounding is the tolerance of what float32 rounds; apart is how far the roundings to
	// bfloat16 have moved the result.
	rounding, apart float64
}

// farthest returns the largest share of a tolerance that a sampled element uses, and which.
func (p point) farthest(tolerance float64) (share float64, at int) {
	for i, element := range p.tensor.Sampled {
		if s := shareOf(p.got[element], float64(p.want[i]), tolerance); s > share {
			share, at = s, i
		}
	}
	return share, at
}

// follow recomputes a reference, and calls found for each tensor at each step that is saved.
func follow(t *testing.T, r *Reference, other string, found func(point)) {
	rule, k := settingsOf(t, r.Optimizer)
	update := formulas[rule]
	if update == nil {
		t.Fatalf("no formula for %s", rule)
	}
	exactly := maps.Clone(k)
	k["other"], exactly["other"] = other, "float32"
	for i, x := range r.Tensors {
		w, unrounded := newVariable(x), newVariable(x)
		largest, move := largestOf(w.w), 0.0
		for n := 1; n <= r.Run.Steps; n++ {
			before := slices.Clone(w.w)
			now := step{n: n, of: r.Run.Steps, factor: factorOf(k, r, n)}
			w.g = widen(r.Gradient(i, n))
			update(w, k, now)
			largest = max(largest, largestOf(w.w))
			for j := range before {
				move = max(move, math.Abs(w.w[j]-before[j]))
			}
			p := point{tensor: x, step: n, rounding: float64(n) * epsilon * (roundingsOfW(rule, k)*largest + 16*move)}
			if k["newton-schulz"] == "bfloat16" {
				unrounded.g = w.g
				update(unrounded, exactly, now)
				for j := range w.w {
					p.apart = max(p.apart, math.Abs(w.w[j]-unrounded.w[j]))
				}
			}
			saved := slices.IndexFunc(r.Saved, func(s Saved) bool { return s.Step == n })
			if saved < 0 {
				continue
			}
			p.kind, p.got, p.want = "w", w.w, r.Saved[saved].W[i]
			found(p)
			p.kind, p.want = "eval", r.Saved[saved].Eval[i]
			if rule == "schedulefree" {
				p.got = average(w, k)
			}
			found(p)
		}
	}
}

// roundingsOfW returns how often a program rounds w in a step: once where it adds the step,
// and twice if it does that in two parts. Decay multiplies it by 1 - lr decay, which is
// rounded to half a unit in the last place of a number below 1.
func roundingsOfW(rule string, k settings) float64 {
	n := 1.0
	if rule == "nadam_torch" || rule == "schedulefree" {
		n++
	}
	if k.number("weight-decay") > 0 {
		n += 1.5
	}
	return n
}

func widen(from []float32) []float64 {
	to := make([]float64, len(from))
	for i, v := range from {
		to[i] = float64(v)
	}
	return to
}

// settings are those of a spec; its key other names a formula that is another.
type settings map[string]string

func settingsOf(t *testing.T, spec string) (rule string, k settings) {
	rule, rest, _ := strings.Cut(spec, ":")
	k = settings{}
	for setting := range strings.SplitSeq(rest, ",") {
		key, value, found := strings.Cut(setting, "=")
		if !found {
			t.Fatalf("%s: %q is no setting", spec, setting)
		}
		k[key] = value
	}
	return rule, k
}

func (k settings) number(key string) float64 {
	v, err := strconv.ParseFloat(k[key], 64)
	if err != nil {
		panic(fmt.Sprintf("setting %s: %v", key, err))
	}
	return v
}

func (k settings) is(other string) bool { return k["other"] == other }

// factorOf returns what a step, counted from 1, multiplies the learning rate by: a linear
// warm-up, then constant or a cosine.
func factorOf(k settings, r *Reference, n int) float64 {
	warmup := 0.0
	if k["warmup"] != "" {
		warmup = k.number("warmup") * float64(r.Run.StepsPerEpoch)
	}
	switch i := float64(n - 1); {
	case i < warmup:
		return float64(n) / warmup
	case k["schedule"] == "cosine":
		return (1 + math.Cos(math.Pi*(i-warmup)/(float64(r.Run.Steps)-warmup))) / 2
	}
	return 1
}
