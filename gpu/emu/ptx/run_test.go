package ptx

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"testing"
)

// load parses a module of testdata.
func load(t testing.TB, name string) *Module {
	t.Helper()
	source, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(name, source)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func kernel(t testing.TB, m *Module, name string) *Kernel {
	t.Helper()
	k, err := m.Kernel(name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func u32(v uint32) []byte     { return binary.LittleEndian.AppendUint32(nil, v) }
func u64(v uint64) []byte     { return binary.LittleEndian.AppendUint64(nil, v) }
func f32(v float32) []byte    { return u32(math.Float32bits(v)) }
func s32(v int) []byte        { return u32(uint32(int32(v))) }
func at(a *Allocation) []byte { return u64(a.Address) }

// floats makes an initialized allocation.
func floats(t testing.TB, m *Memory, name string, values []float32) *Allocation {
	t.Helper()
	a, err := m.Allocate(name, 4*len(values), true)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		binary.LittleEndian.PutUint32(a.Data[4*i:], math.Float32bits(v))
	}
	return a
}

// output makes an allocation of n uninitialized 32-bit words.
func output(t testing.TB, m *Memory, name string, n int) *Allocation {
	t.Helper()
	a, err := m.Allocate(name, 4*n, false)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func floatAt(a *Allocation, i int) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(a.Data[4*i:]))
}

func wordAt(a *Allocation, i int) uint32 { return binary.LittleEndian.Uint32(a.Data[4*i:]) }

func run(t testing.TB, k *Kernel, memory *Memory, launch Launch) Counters {
	t.Helper()
	counters, err := k.Run(context.Background(), memory, launch)
	if err != nil {
		t.Fatal(err)
	}
	return counters
}

func TestSaxpy(t *testing.T) {
	k := kernel(t, load(t, "saxpy.ptx"), "saxpy")
	const n = 1000
	x, y := make([]float32, n), make([]float32, n)
	for i := range x {
		x[i], y[i] = float32(i)*0.37, float32(n-i)*1.1
	}
	for _, check := range []Check{CheckNone, CheckMemory, CheckFull} {
		memory := NewMemory()
		ax, ay := floats(t, memory, "x", x), floats(t, memory, "y", y)
		counters := run(t, k, memory, Launch{Blocks: 3, Threads: 128, Arguments: [][]byte{at(ax), at(ay), f32(2.5), s32(n)}, Options: Options{Check: check}})
		for i := range x {
			// a*x is exact in float64 and the sum of it and y needs fewer than 53 bits here, so this is the fused result.
			if want := float32(2.5*float64(x[i]) + float64(y[i])); floatAt(ay, i) != want {
				t.Fatalf("check %v: y[%d] = %v, want %v", check, i, floatAt(ay, i), want)
			}
		}
		if counters.GlobalBytes != 3*4*n || counters.GlobalSectors != 3*n/8 {
			t.Errorf("check %v: %+v", check, counters)
		}
	}
}
