package golden

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"diaghess/gpu"
	"diaghess/layers"
	"diaghess/optim"
)

// Trajectory is what devices compute of a case and compare with it: all of it or, of a
// case with several rules or sets, one of them.
type Trajectory struct {
	Name string // the case's and of what in it: "baselines_main/adam"
	// Heavy is the real network, too much work for an interpreter.
	Heavy bool

	of      *Case
	compute func(gpu.Stream) results
	compare func(*comparison)
	end     func() error // what is wrong with all runs together; nil for nothing
}

// kinds make the trajectories of a case, by its kind.
var kinds = map[string]func(*Case) []*Trajectory{
	"optim": optimTrajectories, "optim_baselines": baselineTrajectories, "cnn": cnnTrajectories, "cnn_full": fullTrajectories,
	"mlp": mlpTrajectories, "mlp_hsolve": hSolveTrajectories, "mlp_orig": originalTrajectories,
}

// Kinds returns the kinds of case that have trajectories, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// Trajectories returns those of the set's cases of a kind, see the function Kinds.
func (s *Set) Trajectories(kind string) (all []*Trajectory, err error) {
	make, ok := kinds[kind]
	if !ok {
		return nil, fmt.Errorf("golden cases of kind %q have no trajectories (known: %s)", kind, strings.Join(Kinds(), ", "))
	}
	cases, err := s.Cases(kind)
	if err != nil {
		return nil, err
	}
	err = caught(func() {
		for _, c := range cases {
			all = append(all, make(c)...)
		}
	})
	return all, err
}

// Run computes the trajectory on a device that it opens with one thread and again with
// two. Both must be bit-identical, and within the tolerance of what the case says. notes
// tell how much of the tolerance was used.
func (t *Trajectory) Run(open func(threads int) (gpu.Device, error)) (notes []string, err error) {
	run := func(threads int) results {
		device := must(open(threads))
		defer device.Close()
		stream := must(device.NewStream())
		defer stream.Close()
		return t.compute(stream)
	}
	k := &comparison{c: t.of, used: map[string]float64{}}
	err = caught(func() {
		k.r = run(1)
		sameBits("1 and 2 threads", k.r, run(2))
		t.compare(k)
	})
	return append(k.notes, k.shares()), errors.Join(append(k.wrong, err)...)
}

// End says what is wrong with all runs so far together: that each has parted from the
// case where another machine might not.
func (t *Trajectory) End() error {
	if t.end == nil {
		return nil
	}
	return t.end()
}

// failure is the panic that ends a trajectory.
type failure struct{ error }

// caught calls body and returns the error of a demand in it that was not met.
func caught(body func()) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failure:
			err = p.error
		default:
			panic(p)
		}
	}()
	body()
	return nil
}

// demand ends the trajectory on an error.
func demand(err error) {
	if err != nil {
		panic(failure{err})
	}
}

// must returns the value, and ends the trajectory on an error.
func must[T any](value T, err error) T {
	demand(err)
	return value
}

// configOf reads the config of a case.
func configOf[T any](c *Case) (config T) {
	demand(c.Config(&config))
	return config
}

// hyper holds a rule's constants under the names of a case.
type hyper map[string]any

// keys are the names that a spec has for those of a case, where they differ.
var keys = map[string]string{"weight_decay": "weight-decay", "lam0": "lambda"}

// rule makes an optimizer of a case: custom is the pilot's rule, NAME_legacy
// Keras's legacy one, and NAME_anything else NAME with other constants.
func (h hyper) rule(name string) optim.Rule {
	base, variant, _ := strings.Cut(name, "_")
	if base == "custom" {
		base = "diaghess"
	}
	var settings []string
	for key, value := range h {
		if k, ok := keys[key]; ok {
			key = k
		}
		settings = append(settings, fmt.Sprintf("%s=%v", key, value))
	}
	if variant == "legacy" {
		settings = append(settings, "legacy=true")
	}
	return must(optim.Parse(base + ":" + strings.Join(settings, ",")))
}

func (h hyper) number(key string) float64 {
	v, ok := h[key].(float64)
	if !ok {
		demand(fmt.Errorf("the case's hyper-parameters %v have no number %s", h, key))
	}
	return v
}

// download returns the elements of device memory.
func download[E gpu.Element](s gpu.Stream, from gpu.Slice[E]) []E {
	to := make([]E, from.Len())
	demand(gpu.Download(s, to, from))
	return to
}

func upload[E gpu.Element](s gpu.Stream, to gpu.Slice[E], from []E) {
	if to.Len() != len(from) {
		demand(fmt.Errorf("the case has %d elements for a tensor of %d", len(from), to.Len()))
	}
	demand(gpu.Upload(s, to, from))
}

// uploadParameter and downloadParameter copy a parameter, its gradient or a slot of it:
// to is Value, Gradient or a part of a slice with the layout of the network's values.
func uploadParameter(s gpu.Stream, p *layers.Parameter, to gpu.Slice[float32], from []float32) {
	if to.Len() != len(from) {
		demand(fmt.Errorf("the case has %d elements for %s with %d", len(from), p.Name, to.Len()))
	}
	demand(p.Upload(s, to, from))
}

func downloadParameter(s gpu.Stream, p *layers.Parameter, from gpu.Slice[float32]) []float32 {
	to := make([]float32, from.Len())
	demand(p.Download(s, to, from))
	return to
}

// compile compiles what record records.
func compile(s gpu.Stream, record func(r *gpu.Recorder)) gpu.Program {
	var r gpu.Recorder
	record(&r)
	return must(s.Compile(r.Ops()))
}

func runProgram(s gpu.Stream, p gpu.Program) {
	demand(p.Run())
	demand(s.Wait())
}
