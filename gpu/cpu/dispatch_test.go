package cpu_test

import (
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
)

// BenchmarkDispatch replays 60 kernels of one block a thread that do next to nothing:
// what handing out a step's work costs.
func BenchmarkDispatch(b *testing.B) {
	const launches = 60
	m := newBench(b, cpu.Options{})
	out := m.place(grain*cpu.Threads(m.stream), nil)
	var r gpu.Recorder
	for range launches {
		r.Record(&square{Value: out.slice, Out: out.slice})
	}
	program, err := m.stream.Compile(r.Ops())
	check(b, err)
	for b.Loop() {
		check(b, program.Run())
	}
}
