package kerneltest

import (
	"math"
	"strings"
	"testing"
	"unsafe"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
)

// doubler is a kernel, Out = 2 In, that can be told to go wrong.
type doubler struct {
	In, Out gpu.Slice[float32]
	fault   func(in, out []float32)
}

func (k *doubler) Entry() string  { return "double" }
func (k *doubler) Cost() gpu.Cost { return gpu.Cost{} }
func (k *doubler) Grid() gpu.Grid { return gpu.Grid{Blocks: 1, Threads: 1} }
func (k *doubler) Host(_, _ int) {
	in, out := k.In.Host(), k.Out.Host()
	for i, v := range in {
		out[i] = 2 * v
	}
	k.fault(in, out)
}

// beyond is element i of a slice as if it were longer.
func beyond(s []float32, i int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(s)), 4*i))
}

// What a kernel may do wrong is found, and a right one passes.
func TestVerifyFindsFaults(t *testing.T) {
	device, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := device.NewStream()
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for _, c := range []struct {
		want  string
		fault func(in, out []float32)
	}{
		{"", func(in, out []float32) {}},
		{"guard byte 12 of Out", func(in, out []float32) { *beyond(out, 3) = 0 }},
		{"guard byte -4 of Out", func(in, out []float32) { *beyond(out, -1) = 0 }},
		{"guard byte 12 of In", func(in, out []float32) { *beyond(in, 3) = 0 }},
		{"In is an input and has changed", func(in, out []float32) { in[2] = 1 }},
		{"element 1: got", func(in, out []float32) { out[1] = math.Nextafter32(out[1], 9) }},
		{"element 2: got NaN", func(in, out []float32) { out[2] = *beyond(out, 3) }},
	} {
		kind := Case{"double/3", func(p *placer) gpu.Kernel {
			in := uniform(p.random, 3, 1, 2)
			want := make([]number, 3)
			for i, v := range in {
				want[i] = exactly(2).times(exactly(v))
			}
			return &doubler{In: input(p, "In", in), Out: output(p, "Out", want), fault: c.fault}
		}}
		instance, err := kind.Place(stream)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time after a Reset
			instance.Kernel.Host(0, 1)
			err = instance.Verify()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if err := instance.Reset(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
