package devices

import (
	"strings"
	"testing"

	"diaghess/gpu"
)

func TestDeviceNames(t *testing.T) {
	for _, c := range []struct {
		name    string
		ordinal int
		gpu     bool
	}{
		{"cuda", 0, true}, {"cuda:0", 0, true}, {"cuda:12", 12, true},
		{"cuda:", 0, false}, {"cuda:-1", 0, false}, {"cuda:1x", 0, false}, {"cuda:01", 0, false}, {"cpu", 0, false}, {"", 0, false},
	} {
		if ordinal, ok := cudaOrdinal(c.name); ok != c.gpu || ok && ordinal != c.ordinal {
			t.Errorf("%q is the GPU %d, %t; want %d, %t", c.name, ordinal, ok, c.ordinal, c.gpu)
		}
	}
}

// What cannot be opened is an error that says what can.
func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		options Options
		want    string
	}{
		{Options{Name: "gpu"}, "known: auto, cpu"},
		{Options{Name: "cpu", Math: gpu.MathTF32}, "--device cuda"},
		{Options{Name: "emu", Math: gpu.MathTF32}, "--device cuda"},
		{Options{Name: "cpu", Library: "none"}, "none"},
		{Options{Name: "cuda:0,cuda:1"}, "name one"},
	} {
		if _, err := Open(c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.options, err, c.want)
		}
	}
}

// What is wrong on any machine is said before a driver is looked for.
func TestCheck(t *testing.T) {
	for name, want := range map[string]string{
		"cpu": "", "auto": "", "cuda": "", "cuda:3": "", "cuda:0,cuda:2": "",
		"cuda:0,cuda:0": "a list has different cards", "cuda:1,cpu": "a list has", "cpu,": "a list has", "auto,cuda": "a list has", "cuda,cuda:0": "a list has", "cuda:0, cuda:1": "a list has",
		"cuda:-1": "unknown device", "CUDA:0": "unknown device", "": "unknown device",
	} {
		err := Check(Options{Name: name})
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", name, err, want)
		}
		if _, err := All(name); want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("all of %q: error %v, want %q", name, err, want)
		}
	}
	if err := Check(Options{Name: "emu", Math: gpu.MathTF32}); err == nil || !strings.Contains(err.Error(), "no arithmetic tf32") {
		t.Error(err)
	}
}
