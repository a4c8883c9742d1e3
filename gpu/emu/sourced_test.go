package emu_test

import (
	"slices"
	"strings"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/emu"
	"diaghess/kernels/kerneltest"
)

// Kernels with PTX of their own may share entry and name.
func TestSourced(t *testing.T) {
	stream := openStream(t, emu.Options{})
	x, err := gpu.Alloc[uint32](stream, 32)
	if err != nil {
		t.Fatal(err)
	}
	var r gpu.Recorder
	for _, number := range []int{5, 70, 5} {
		r.Record(kerneltest.Addend{X: x, Number: number})
	}
	program, err := stream.Compile(r.Ops())
	if err == nil {
		err = program.Run()
	}
	if err != nil {
		t.Fatal(err)
	}
	if want := slices.Repeat([]uint32{80}, 32); !slices.Equal(x.Host(), want) {
		t.Errorf("got %d, want %d", x.Host(), want)
	}
}

func TestSourcedMistaken(t *testing.T) {
	stream := openStream(t, emu.Options{})
	var r gpu.Recorder
	r.Record(kerneltest.Addend{More: []any{uint32(1)}})
	if _, err := stream.Compile(r.Ops()); err == nil || !strings.Contains(err.Error(), "entry addend has 1 parameters, it is called with 2") {
		t.Errorf("error %v", err)
	}
}
