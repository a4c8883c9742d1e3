package gpu_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"diaghess/gpu"
)

// sourced is a kernel with PTX of its own.
type sourced struct {
	named
	text      string
	arguments [][]byte

	Unused string // no parameter
}

func (sourced) Grid() gpu.Grid                  { return gpu.Grid{Blocks: 1, Threads: 1} }
func (sourced) Host(lo, hi int)                 {}
func (k sourced) Module() (string, string)      { return "own.ptx", k.text }
func (k sourced) Arguments() [][]byte           { return k.arguments }
func fromKernels(string) (_, _ string, _ error) { return "", "", errors.New("was asked for") }

func TestPack(t *testing.T) {
	s := gpu.View[float32](host(16)).Sub(1, 4)
	got := fmt.Sprint(gpu.Pack(s, int32(-2), uint32(3), uint64(4), float32(1)))
	if want := "[[4 16 0 0 0 0 0 0] [254 255 255 255] [3 0 0 0] [4 0 0 0 0 0 0 0] [0 0 128 63]]"; got != want {
		t.Errorf("packed %s, want %s", got, want)
	}
	panics(t, "Pack of an int", func() { gpu.Pack(1) })
	k := sourced{arguments: gpu.Pack(uint32(7))}
	if got := gpu.Arguments(k); !slices.EqualFunc(got, k.arguments, slices.Equal) {
		t.Errorf("arguments %v, want %v", got, k.arguments)
	}
}

// A kernel with PTX of its own gets it, where the entry and its parameters fit.
func TestModule(t *testing.T) {
	const pointerAndWord = ".version 7.0\n.visible .entry a(.param .u64 .ptr .global .align 16 x, // x, y\n\t.param .u32 y /* z */)\n{}\n.entry ab\n{ }"
	for _, c := range []struct {
		entry, text string
		arguments   [][]byte
		want        string // in the error
	}{
		{"a", pointerAndWord, gpu.Pack(uint64(0), uint32(0)), ""},
		{"ab", pointerAndWord, nil, ""},
		{"a", ".entry a (\n)", nil, ""},
		{"a", ".entry a(.param .align 8 .b8 x[12], .param .f32 y)", [][]byte{make([]byte, 12), make([]byte, 4)}, ""},
		{"a", pointerAndWord, gpu.Pack(uint64(0)), "entry a has 2 parameters, it is called with 1"},
		{"a", pointerAndWord, gpu.Pack(uint32(0), uint64(0)), "parameter 0 of entry a, counted from 0, has 8 bytes, it is called with 4"},
		{"ab", pointerAndWord, gpu.Pack(uint32(0)), "entry ab has 0 parameters, it is called with 1"},
		{"b", pointerAndWord, nil, `own.ptx: the PTX has no entry b: in CUDA C, declare the kernel as extern "C" __global__ void b(...)`},
		{"a", "// .entry a()", nil, "no entry a"},
		{"a", ".entry a(.reg .u32 y)", gpu.Pack(uint32(0)), `entry a has a parameter ".reg .u32 y", which is none of PTX`},
	} {
		name, text, err := gpu.Module(sourced{named: named(c.entry), text: c.text, arguments: c.arguments}, fromKernels)
		switch {
		case c.want == "" && (err != nil || name != "own.ptx" || text != c.text):
			t.Errorf("%s of %s: %q, %v", c.entry, c.text, name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s of %s: error %v, want %s", c.entry, c.text, err, c.want)
		}
	}
	if _, _, err := gpu.Module(plain{}, fromKernels); err == nil || err.Error() != "was asked for" {
		t.Errorf("a kernel without PTX: %v", err)
	}
}

// plain is a kernel whose PTX is elsewhere.
type plain struct{ named }

func (plain) Grid() gpu.Grid  { return gpu.Grid{} }
func (plain) Host(lo, hi int) {}
