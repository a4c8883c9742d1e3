package emu_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/emu"
	"diaghess/gpu/emu/ptx"
	"diaghess/kernels"
	"diaghess/kernels/kerneltest"
)

func openStream(t *testing.T, o emu.Options) gpu.Stream {
	t.Helper()
	o.Source, o.Library = kernels.Module, "gonum"
	device, err := emu.New(o)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := device.NewStream()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stream.Close() })
	return stream
}

// inexact are the kernels whose CUDA body adds in another order than the Go
// body, or calls expf and logf, which CUDA rounds otherwise. All others must
// give the same bits.
var inexact = map[string]bool{
	"batchnorm_stats": true, "epilogue_reduce": true,
	"softmax_cross_entropy": true, "sample_labels": true,
	"hesscale_logits": true, "ggn_column": true, "hesscale_slope": true, "calibrate_average": true, "calibrate_weights": true,
	"tangent_stats": true, "tangent_reduce": true, "tangent_loss": true,
}

// TestParity runs the PTX of every kernel at every size of the table: it must
// compute its contract within the table's derived tolerances, break no rule of
// the interpreter, races included, and give the Go body's bits where both are
// exact. Guards and poisoned outputs are the table's.
func TestParity(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	stream := openStream(t, emu.Options{Check: ptx.CheckFull})
	compared := map[string]int{}
	for _, c := range kerneltest.Cases() {
		instance, err := c.Place(stream)
		if err != nil {
			t.Fatal(err)
		}
		k := instance.Kernel
		memory := func(run func() error) []byte {
			if err := instance.Reset(); err != nil {
				t.Fatal(err)
			}
			if err := run(); err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
			m, err := instance.Memory()
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		var r gpu.Recorder
		r.Record(k)
		program, err := stream.Compile(r.Ops())
		if err != nil {
			t.Fatal(err)
		}
		emulated := memory(program.Run)
		if err := instance.Verify(); err != nil {
			t.Error(err)
		}
		host := memory(func() error { k.Host(0, k.Grid().Blocks); return nil })
		if !inexact[k.Entry()] && !equalBits(emulated, host) {
			t.Errorf("%s: PTX and Go body differ in bits", c.Name)
		}
		compared[k.Entry()]++
	}
	for entry, n := range compared {
		t.Logf("%-24s %d sizes, bits equal: %v", entry, n, !inexact[entry])
	}
}

// TestParityInAnyOrder draws the order of warps and blocks: results must not
// depend on it.
func TestParityInAnyOrder(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	for order := uint64(1); order <= 2; order++ {
		stream := openStream(t, emu.Options{Check: ptx.CheckMemory, Order: order})
		for _, c := range kerneltest.Cases() {
			if err := c.Run(stream); err != nil {
				t.Error(err)
			}
		}
	}
}

// equalBits compares memory word by word. Any NaN equals any other: which of
// several an operation passes on is not defined.
func equalBits(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for ; len(a) >= 4; a, b = a[4:], b[4:] {
		if bytes.Equal(a[:4], b[:4]) {
			continue
		}
		x, y := math.Float32frombits(binary.LittleEndian.Uint32(a)), math.Float32frombits(binary.LittleEndian.Uint32(b))
		if x == x || y == y {
			return false
		}
	}
	return bytes.Equal(a, b)
}
