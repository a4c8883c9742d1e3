package bench

import (
	"math"
	"strings"
	"testing"
	"time"

	"diaghess/gpu"
)

// What limits is read off the rates of the parts.
func TestVerdict(t *testing.T) {
	for want, l := range map[string]Limits{
		"multiprocessors and memory limit": {Streams: 40, Step: 1500, Convolutions: 2500, Kernels: 3750, Empty: 9000, Cores: 0},
		"launches limit":                   {Streams: 40, Step: 1500, Convolutions: 2900, Kernels: 2000, Empty: 2500, Cores: 0},
		"the host limits":                  {Streams: 40, Step: 1500, Convolutions: 2500, Kernels: 3750, Empty: 9000, Cores: math.Inf(1)},
		"the parts overlap":                {Streams: 40, Step: 2500, Convolutions: 2500, Kernels: 3750, Empty: 9000, Cores: 0},
	} {
		if got := l.Verdict(); !strings.Contains(got, want) {
			t.Errorf("%+v: %s; want %q", l, got, want)
		}
	}
	if got := (Limits{Streams: 2, Step: 1, Convolutions: 2, Kernels: 2, Empty: 9}).Verdict(); !strings.HasPrefix(got, "2 streams: 1 steps/s; convolutions and other kernels one after the other 1/s") {
		t.Error(got)
	}
}

// The parts are the ops of a step, each in one of them, and as many empty kernels.
func TestLimits(t *testing.T) {
	onStream(t, func(w Workload, stream gpu.Stream) error {
		w.Block = 2
		set, err := w.pictures(stream, 8, 1)
		if err != nil {
			return err
		}
		s, err := w.station(stream, set)
		if err != nil {
			return err
		}
		var ops [4]int
		for i, p := range s.programs {
			ops[i] = len(p.Ops())
			for _, op := range p.Ops() {
				_, isKernel := op.Op.(gpu.Kernel)
				if i == 1 && isKernel || i == 2 && !isKernel {
					t.Errorf("program %d has %s", i, op.Op.Entry())
				}
			}
		}
		if ops[1] == 0 || ops[2] == 0 || ops[1]+ops[2] != ops[0] || ops[3] != ops[0] {
			t.Errorf("programs of %v ops", ops)
		}
		all, err := w.Limits(t.Context(), stream.Device(), []int{1, 3}, time.Nanosecond)
		if len(all) != 2 || all[1].Streams != 3 || all[1].Empty <= 0 {
			t.Errorf("limits %+v", all)
		}
		return err
	})
}
