package optim_test

import (
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/optim"
	"diaghess/optim/curvature"
	"diaghess/optim/rulefile"
)

const plain = `rule plain "gradient descent"
key lr = 0.5 in (0, 1] log "learning rate"
key weight_decay = 0 in [0, inf) log "decay"
key nesterov = false "look ahead"
key power = 2 in [1, 5] whole "a whole number"
slot v
v = where(nesterov, v + g, g)
w -= lr * (v + weight_decay * w) + 0 * power
`

// write writes a rule file and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

// digest is the start of the text's SHA-256, which names have.
func digest(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))[:8] }

// A rule file's spec has its name and digest. It comes back from the text alone.
func TestFileSpec(t *testing.T) {
	name := "plain@" + digest(plain)
	for _, path := range []string{write(t, "my.rule", plain), write(t, "a:b,c/lr=1, x.rule", plain), write(t, "my.rule", strings.ReplaceAll(plain, "\n", "\r\n"))} {
		for settings, shortest := range map[string]string{
			"":                               "",
			":lr=0.25":                       ":lr=0.25",
			":weight-decay=1e-4,nesterov=1":  ":weight-decay=0.0001,nesterov=true",
			":power=3.0,schedule=cosine":     ":schedule=cosine,power=3",
			":nesterov=false,weight-decay=0": "",
		} {
			rule := parse(t, "rule:"+path+settings)
			if got, want := optim.Spec(rule), name+shortest; got != want {
				t.Errorf("%s%s: spec %s, want %s", path, settings, got, want)
			}
			texts := optim.Texts{name: optim.Source(rule)}
			again, err := texts.Parse(optim.Spec(rule))
			check(t, err)
			if got, want := fmt.Sprint(optim.Settings(again)), fmt.Sprint(optim.Settings(rule)); got != want {
				t.Errorf("%s: settings %s from the text, want %s", optim.Spec(rule), got, want)
			}
			changed, err := optim.With(rule, "lr=1")
			check(t, err)
			if got, want := optim.Spec(changed), name+":lr=1"; got != want {
				t.Errorf("with lr=1 it is %s, want %s", got, want)
			}
		}
		list := "adamw,rule:" + path + ":lr=0.1,nesterov=true,lion,rule:" + path
		if got, want := optim.SplitList(list), []string{"adamw", "rule:" + path + ":lr=0.1,nesterov=true", "lion", "rule:" + path}; !slices.Equal(got, want) {
			t.Errorf("the list %s is of %q, want %q", list, got, want)
		}
		rules, err := optim.ParseList(list)
		check(t, err)
		if got := optim.Spec(rules[1]); got != name+":lr=0.1,nesterov=true" {
			t.Errorf("the list has %s", got)
		}
	}
	// The text of a record counts, not the file that is part of the program.
	text := strings.Replace(rulefile.Source("lion"), "key lr = 1e-4", "key lr = 2e-4", 1)
	rule, err := optim.Texts{"lion": text}.Parse("lion:beta1=0.5")
	check(t, err)
	if optim.Spec(rule) != "lion:beta1=0.5" || optim.Settings(rule)["lr"] != "0.0002" || optim.Source(rule) != text {
		t.Errorf("the text of a record: %s with %v", optim.Spec(rule), optim.Settings(rule))
	}
}

// What is wrong with a file or a spec of one is said.
func TestFileErrors(t *testing.T) {
	path := write(t, "my.rule", plain)
	folder := filepath.Join(t.TempDir(), "folder.rule")
	check(t, os.Mkdir(folder, 0o755))
	for spec, want := range map[string]string{
		"rule:" + path + ":lr=2":                              "lr=2: must be a number in (0, 1]",
		"rule:" + path + ":lr=1e-50":                          "lr=1e-50: must be a number in (0, 1] (in float32)",
		"rule:" + path + ":power=1.5":                         "must be a number in [1, 5] without a fraction",
		"rule:" + path + ":nesterov=maybe":                    "must be true or false",
		"rule:" + path + ":momentum=1":                        `no key "momentum"`,
		"rule:" + path + ":lr":                                "not of the form key=value",
		"rule:" + path + ":curvature=gnb":                     `no key "curvature"`,
		"rule:my":                                             "give a file whose name ends in .rule",
		"rule:":                                               "give a file whose name ends in .rule",
		"rule:nothing.rule":                                   "rule file nothing.rule: there is no such file",
		"rule:" + folder:                                      "it is a folder",
		"rule:" + write(t, "e.rule", "rule"):                  "e.rule:1:5: expected",
		"rule:" + write(t, "latin.rule", plain+"# caf\xe9\n"): "not a text in UTF-8",
		"rule:" + write(t, "large.rule", strings.Repeat(" ", 70_000)): "70000 bytes, at most 65536",
		"plain@01234567:lr=1": "the text of this file is not known here: give the file, as in rule:my.rule",
		"plain@0123456":       "unknown optimizer",
		"my.rule:lr=1":        `unknown optimizer "my.rule": a rule file is given as rule:my.rule`,
		"spec.go:lr=1":        `unknown optimizer "spec.go": the name of a rule file ends in .rule, that of a kernel in .ptx`,
		"my.ptx":              `unknown optimizer "my.ptx": a kernel is given as ptx:my.ptx`,
	} {
		if _, err := optim.Parse(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", spec, err, want)
		}
	}
	for name, want := range map[string]string{
		"plain@01234567":         "the text that is recorded for it is that of plain@" + digest(plain),
		"other@" + digest(plain): "the text that is recorded for it is that of plain@" + digest(plain),
		"lion":                   "the text that is recorded for it is that of plain@",
	} {
		if _, err := (optim.Texts{name: plain}).Parse(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the text of plain for %s: error %v, want one with %q", name, err, want)
		}
	}
}

// A search for the best value of a key goes within its range.
func TestAxis(t *testing.T) {
	rule := parse(t, "rule:"+write(t, "my.rule", plain))
	for key, want := range map[string]string{"lr": "0 1 true", "weight-decay": "0 +Inf true", "power": "1 5 false", "nothing": "-Inf +Inf false"} {
		low, high, log := optim.Axis(rule, key)
		if got := fmt.Sprint(low, high, log); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	if !optim.Whole(rule, "power") || optim.Whole(rule, "lr") {
		t.Error("power takes whole numbers alone, lr others too")
	}
}

// A line curvature sets the defaults of the usual keys.
func TestFileCurvature(t *testing.T) {
	const text = `rule bent "along the curvature"
key lr = 0.1 in (0, inf) log "learning rate"
curvature KIND
w -= lr * g / (abs(h) + 1)
`
	of := func(line string) optim.Rule {
		return parse(t, "rule:"+write(t, "bent.rule", strings.Replace(text, "KIND", line, 1)))
	}
	got := optim.CurvatureOf(of("hutchinson every=5 samples=2 decay=0.5 abs=true uncorrected=true"))
	if want := (curvature.Options{Kind: "hutchinson", Every: 5, Samples: 2, Decay: 0.5, Uncorrected: true, Absolute: true}); got != want {
		t.Errorf("the options are %#v", got)
	}
	if _, err := optim.With(of("gnb"), "curvature=none"); err == nil {
		t.Error("a rule that names an estimator takes none")
	}
	rule, err := optim.With(of("none"), "curvature=gnb,samples=3")
	check(t, err)
	if got := optim.CurvatureOf(rule); got.Kind != "gnb" || got.Samples != 3 {
		t.Errorf("the options are %+v", got)
	}
}

// Slots begin where the file says, numbers of the host know epochs, shapes and the length of the
// run, the loss is read before the update, and the weights for evaluation are computed apart.
func TestFileRun(t *testing.T) {
	const text = `rule everything "what a rule can know"
key lr = 0.5 in (0, inf) log "learning rate"
slot a = w
slot b = -2
a += lr * epoch + steps + 100 * rank
b += loss
w -= lr * g
eval a + b
`
	stream := openStream(t)
	weights := []float32{1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8}
	gradient := make([]float32, len(weights))
	gradient[1], gradient[16] = 1, 2
	tensors := optim.Tensors{
		Values: values(t, stream, weights), Gradients: values(t, stream, gradient),
		Offsets: []int{0, 16}, Lengths: []int{4, 1}, Shapes: [][]int{{2, 2}, {1}},
	}
	const steps = 3
	rule := parse(t, "rule:"+write(t, "everything.rule", text))
	if !optim.Evaluates(rule) || optim.Evaluates(parse(t, "lion")) || optim.Evaluates(parse(t, "adamw")) {
		t.Error("a rule with weights for evaluation, and rules without, are mistaken")
	}
	o, err := optim.New(stream, rule, tensors, optim.Length{Steps: steps, StepsPerEpoch: 2}, gpu.Slice[float32]{}, false)
	check(t, err)
	var r, evaluation gpu.Recorder
	check(t, o.Record(&r))
	r.Record(&kernels.Advance{State: o.State})
	step, err := stream.Compile(r.Ops())
	check(t, err)
	eval := o.RecordEvaluation(&evaluation)
	enter, err := stream.Compile(evaluation.Ops())
	check(t, err)
	check(t, gpu.Upload(stream, o.Loss, []float32{0.25, 0.125}))
	for i := range steps {
		if i == 2 { // a new epoch, whose first batch has another loss
			check(t, gpu.Upload(stream, o.State, []uint32{2, 0, 0, 1}))
			check(t, gpu.Upload(stream, o.Loss, []float32{4, 0}))
		}
		check(t, step.Run())
	}
	check(t, enter.Run())
	// Epochs 1, 1 and 2; losses 0.25, 0.125 and 4.
	const a, b = 0.5*(1+1+2) + steps*steps, -2 + 0.25 + 0.125 + 4
	for i, rank := range map[int]float32{0: 2, 1: 2, 16: 1} {
		wantA := weights[i] + a + steps*100*rank
		if got := o.Slot("a").Host()[i]; got != wantA {
			t.Errorf("slot a has %v at %d, want %v", got, i, wantA)
		}
		if got := o.Slot("b").Host()[i]; got != b {
			t.Errorf("slot b has %v at %d, want %v", got, i, b)
		}
		if got, want := tensors.Values.Host()[i], weights[i]-steps*0.5*gradient[i]; got != want {
			t.Errorf("w has %v at %d, want %v", got, i, want)
		}
		if got := eval.Host()[i]; got != wantA+b {
			t.Errorf("eval has %v at %d, want %v", got, i, wantA+b)
		}
	}
	var none gpu.Recorder
	adamw, err := optim.New(stream, parse(t, "adamw"), tensors, optim.Length{Steps: 1, StepsPerEpoch: 1}, gpu.Slice[float32]{}, false)
	check(t, err)
	if !adamw.RecordEvaluation(&none).IsNull() || len(none.Ops()) > 0 {
		t.Error("adamw has weights for evaluation")
	}
}

// A rule without slots trains, and a number that is not finite is one by IEEE.
func TestFileWithoutSlots(t *testing.T) {
	const text = `rule divide "division by zero"
key lr = 1 in (0, inf) log "learning rate"
w -= lr * g / (w - w)
`
	p := newProblem(t)
	o := p.train(t, parse(t, "rule:"+write(t, "divide.rule", text)), 2, gpu.Slice[float32]{}, false)
	if len(o.Keep()) > 0 {
		t.Errorf("a checkpoint keeps %d tensors of a rule without slots", len(o.Keep()))
	}
	if w := float64(p.bowl.W.Host()[0]); !math.IsNaN(w) && !math.IsInf(w, 0) {
		t.Errorf("w is %v after divisions by zero", w)
	}
}
