//go:build cuda

package cuda_test

import (
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cuda"
	"diaghess/gpu/cuda/standin"
	"diaghess/kernels"
)

// open opens a device on a stand-in machine; the test's end closes it and looks for
// what is left.
func open(t testing.TB, machine standin.Options, o cuda.Options) (*cuda.Device, *standin.Machine) {
	t.Helper()
	m := standin.Start(t, machine)
	if o.Source == nil {
		o.Source = kernels.Module
	}
	device, err := cuda.New(o)
	check(t, err)
	t.Cleanup(func() { check(t, device.Close()) })
	return device, m
}

// count returns how many calls of a function the driver has seen.
func count(m *standin.Machine, function string) (n int) {
	for _, call := range m.Calls() {
		if call == function {
			n++
		}
	}
	return n
}

// newStream makes a stream that the test's end closes.
func newStream(t testing.TB, d gpu.Device) gpu.Stream {
	t.Helper()
	s, err := d.NewStream()
	check(t, err)
	t.Cleanup(func() { check(t, s.Close()) })
	return s
}

// compile compiles ops.
func compile(t testing.TB, s gpu.Stream, ops ...gpu.Op) gpu.Program {
	t.Helper()
	var r gpu.Recorder
	for _, op := range ops {
		r.Record(op)
	}
	p, err := s.Compile(r.Ops())
	check(t, err)
	return p
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
