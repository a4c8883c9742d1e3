package bench

import (
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/optim"
	"diaghess/train"
)

// onStream calls body with a small workload and a stream of the cpu.
func onStream(t *testing.T, body func(Workload, gpu.Stream) error) {
	t.Helper()
	device, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	rules, err := optim.ParseList("adamw,diaghess:curvature=gnb,every=10")
	if err != nil {
		t.Fatal(err)
	}
	w := Workload{Settings: train.DefaultSettings(), Optimizers: rules, Classes: 10}
	w.Model, w.Batch = "mlp", 2
	if err := gpu.WithStream(device, func(stream gpu.Stream) error { return body(w, stream) }); err != nil {
		t.Error(err)
	}
}

// A step is measured by many blocks or few, short or long ones.
func TestSteps(t *testing.T) {
	for _, c := range []struct{ block, blocks int }{{1, 1}, {1, 45}, {3, 2}, {2, 23}} {
		onStream(t, func(w Workload, stream gpu.Stream) error {
			w.Block, w.Blocks = c.block, c.blocks
			costs, err := w.Steps(t.Context(), stream)
			for i, s := range costs {
				if s.Optimizer != optim.Spec(w.Optimizers[i]) || s.Fastest <= 0 || s.Fastest > s.Step || s.Evaluate <= 0 || s.Memory <= 0 || len(s.Families) < 5 {
					t.Errorf("%+v: %+v", c, s)
				}
				if estimate := s.Estimate - s.Step; (s.Estimate > 0) != (i == 1) || i == 0 && s.Mean != s.Step || i == 1 && s.Mean != s.Step+estimate/10 {
					t.Errorf("%+v: %s: a step takes %v, with an estimate %v, the mean is %v", c, s.Optimizer, s.Step, s.Estimate, s.Mean)
				}
			}
			return err
		})
	}
}

// countingTracer counts what a profiler records.
type countingTracer int

func (n *countingTracer) Trace(body func() error) error {
	*n++
	return body()
}

func TestTrace(t *testing.T) {
	onStream(t, func(w Workload, stream gpu.Stream) error {
		var recorded countingTracer
		err := w.Trace(t.Context(), stream, &recorded)
		if recorded != 1 {
			t.Errorf("recorded %d times, want once", recorded)
		}
		return err
	})
}
