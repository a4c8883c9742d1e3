package trial

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"diaghess/gpu"
	"diaghess/gpu/emu/ptx"
	"diaghess/kernels"
)

// sizes of the tensors: two with a tail, one of several chunks, a single element, two full chunks.
var sizes = []int{37, 5917, 693, 1, 8192}

// Elements returns how many elements Emulate tries the kernels on, in how many tensors.
func Elements() (elements, tensors int) {
	for _, n := range sizes {
		elements += n
	}
	return elements, len(sizes)
}

// Steps is how many steps Emulate takes, once with ordinary gradients, and again with some that
// are NaN or infinite.
const Steps = 3

// Emulate runs the kernels in the emulator, which checks parameters, bounds, reads of what was
// never written, and races; and again with blocks and warps in another order. The results of all
// bodies must be the same, bit for bit: of the formulas, their Go body and their PTX; or of both
// orders of a kernel of one's own. The error says what is not.
func (t *Trial) Emulate() error {
	return device(t.emulator(ptx.CheckFull, 0), func(checked gpu.Stream) error {
		return device(t.emulator(ptx.CheckMemory, 5), func(reordered gpu.Stream) error {
			return device(processor, func(host gpu.Stream) error {
				for _, special := range []bool{false, true} {
					streams := map[string]gpu.Stream{"emu": checked, "emu in another order": reordered, "cpu": host}
					if err := t.compare(streams, special); err != nil {
						return err
					}
				}
				return nil
			})
		})
	})
}

func (t *Trial) compare(streams map[string]gpu.Stream, special bool) error {
	in := inputs{run: t.run(0.01, Steps, 2, sizes...), h: t.Diagonal, special: special}
	p := t.Kernels.Program
	start := p.Rule.Start(in.some(ofWeights, 0))
	var bodies []*bound
	for _, name := range []string{"emu", "emu in another order", "cpu"} {
		if name == "cpu" && t.own() {
			continue
		}
		b, err := t.bind(name, streams[name], in.run, start, in.losses())
		if err != nil {
			return err
		}
		bodies = append(bodies, b)
	}
	coefficients, err := p.Coefficients(in.run)
	if err != nil {
		return err
	}
	state := p.Rule.Start(start.Weights)
	for step := range in.run.Rates {
		g, h := in.some(ofGradients, step), in.some(ofCurvature, step)
		var want []array
		if !t.own() {
			p.Interpret(coefficients, step, state, g, h, in.losses()[step])
			want = append(want, array{"w", state.Weights})
			for i, slot := range p.Rule.Slots {
				want = append(want, array{slot.Name, state.Slots[i]})
			}
			if p.Rule.Evaluates {
				want = append(want, array{"eval", p.InterpretEvaluation(coefficients, state)})
			}
		}
		for _, b := range bodies {
			if err := errors.Join(b.upload(b.buffers.Gradients, g), b.upload(b.buffers.Curvature, h)); err != nil {
				return err
			}
			if err := b.step.Run(); err != nil {
				return err
			}
			got, err := b.arrays()
			if err != nil {
				return err
			}
			if err := errors.Join(b.kept("g", b.buffers.Gradients, g), b.kept("h", b.buffers.Curvature, h)); err != nil {
				return fmt.Errorf("step %d, %w", step+1, err)
			}
			if want == nil {
				want = got
			} else if where := different(got, want); where != "" {
				return fmt.Errorf("step %d, %s: %s", step+1, b.name, where)
			}
		}
	}
	return nil
}

// kept returns an error if an array that a kernel only reads is not what was uploaded. A null array
// is.
func (b *bound) kept(name string, from gpu.Slice[float32], uploaded [][]float32) error {
	if from.IsNull() {
		return nil
	}
	tensors, err := b.download(name, from)
	if err != nil {
		return err
	}
	if where := different([]array{{name, tensors}}, []array{{name, uploaded}}); where != "" {
		return fmt.Errorf("%s: %s as before: a kernel writes w and slots only", b.name, where)
	}
	return nil
}

// different says where arrays differ in bits first, NaN for NaN; "" for nowhere.
func different(got, want []array) string {
	for k, a := range want {
		for i, x := range a.tensors {
			for j, w := range x {
				if v := got[k].tensors[i][j]; math.Float32bits(v) != math.Float32bits(w) && (v == v || w == w) {
					return fmt.Sprintf("element %d of %d of %s is %g, not %g", j, len(x), a.name, v, w)
				}
			}
		}
	}
	return ""
}

// Traffic is what a kernel moves for an element, in bytes.
type Traffic struct {
	Entry string
	// Needed is what it reads and writes at least, and Asked what its threads ask for.
	Needed, Asked float64
}

// Traffic counts what the kernels of a step ask for in the emulator, on a large tensor.
func (t *Trial) Traffic() (all []Traffic, err error) {
	const elements = 8 * 4096
	err = device(t.emulator(ptx.CheckNone, 0), func(stream gpu.Stream) error {
		in := inputs{run: t.run(0.01, 1, 1, elements), h: t.Diagonal}
		b, err := t.bind("emu", stream, in.run, t.Kernels.Program.Rule.Start(in.some(ofWeights, 0)), in.losses())
		if err != nil {
			return err
		}
		if err := errors.Join(b.upload(b.buffers.Gradients, in.some(ofGradients, 0)), b.upload(b.buffers.Curvature, in.some(ofCurvature, 0))); err != nil {
			return err
		}
		traffic, err := b.step.(gpu.Counter).Count()
		if err != nil {
			return err
		}
		for i, op := range b.step.Ops() {
			if _, counts := op.Op.(*kernels.Advance); !counts {
				all = append(all, Traffic{op.Op.Entry(), float64(op.Op.Cost().Bytes) / elements, float64(traffic[i].Bytes) / elements})
			}
		}
		return nil
	})
	return all, err
}

// Warnings lists the numbers of the host that are not finite, or 0 only as float32, in a run of so
// many steps at a learning rate. Each has the place of its formula and the first such step.
func (t *Trial) Warnings(rate float64, steps, stepsPerEpoch int) (list []string, err error) {
	p := t.Kernels.Program
	c, err := p.Coefficients(t.run(rate, steps, stepsPerEpoch, sizes...))
	if err != nil {
		return nil, err
	}
	report := func(values []int, numbers []float32, of string) {
		for column, i := range values {
			lost, vanished := c.Vanished[i]
			wrong := fmt.Sprintf("%.3g, which is 0 in float32,", lost.Number)
			for row := range len(numbers) / len(values) {
				if v := float64(numbers[row*len(values)+column]); math.IsNaN(v) || math.IsInf(v, 0) {
					lost.Row, vanished, wrong = row, true, fmt.Sprint(v)
					break
				}
			}
			if !vanished {
				continue
			}
			at := fmt.Sprintf("%s:%d:%d: the number is %s", p.Rule.File, p.Values[i].Line, p.Values[i].Column, wrong)
			switch of {
			case "step":
				at += fmt.Sprintf(" at step %d", lost.Row+1)
			case "tensor":
				at += fmt.Sprintf(" for a tensor of %d elements and rank %d", sizes[lost.Row], []int{1, 2, 4}[lost.Row%3])
			}
			list = append(list, strings.TrimSuffix(at, ","))
		}
	}
	report(p.Constants, c.Constants, "")
	report(p.Steps, c.Steps, "step")
	report(p.Tables, c.Tables, "tensor")
	return list, nil
}

// Point is where a rule is on the quadratic after a step; Step 0 is its start.
type Point struct {
	Step int
	W    []float32
	Loss float64
}

// Curvatures are those of Quadratic, c, one for each weight.
func Curvatures() []float32 { return []float32{1, 4, 16} }

// Quadratic takes steps down the sum of c (w-1)^2 / 2 over the weights of [Curvatures],
// from w = 0, at a constant learning rate. The diagonal of the curvature is c, and the loss that
// of the point.
func (t *Trial) Quadratic(rate float64, steps int) (points []Point, err error) {
	on := processor
	if t.own() {
		on = t.emulator(ptx.CheckNone, 0)
	}
	quadratic, losses := Curvatures(), make([]float32, steps)
	err = device(on, func(stream gpu.Stream) error {
		n := len(quadratic)
		run := t.run(rate, steps, max(1, steps), n)
		b, err := t.bind("", stream, run, t.Kernels.Program.Rule.Start([][]float32{make([]float32, n)}), losses)
		if err != nil {
			return err
		}
		for step := range steps + 1 {
			tensors, err := b.download("w", b.buffers.Values)
			if err != nil {
				return err
			}
			w, g := tensors[0], make([]float32, n)
			point := Point{Step: step, W: w}
			for i, c := range quadratic {
				g[i] = c * (w[i] - 1)
				point.Loss += float64(c) * (float64(w[i]) - 1) * (float64(w[i]) - 1) / 2
			}
			points = append(points, point)
			if step == steps {
				return nil
			}
			losses[step] = float32(point.Loss)
			err = errors.Join(b.upload(b.buffers.Gradients, [][]float32{g}), b.upload(b.buffers.Curvature, [][]float32{quadratic}), gpu.Upload(stream, b.buffers.Loss, losses))
			if err == nil {
				err = b.step.Run()
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return points, err
}
