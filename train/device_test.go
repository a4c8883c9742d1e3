package train

import (
	"strings"
	"testing"
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
func TestOpenDeviceRefuses(t *testing.T) {
	for _, c := range []struct {
		options DeviceOptions
		want    string
	}{
		{DeviceOptions{Name: "gpu"}, "known: auto, cpu"},
		{DeviceOptions{Name: "cpu", Math: MathTF32}, "--device cuda"},
		{DeviceOptions{Name: "emu", Math: MathTF32}, "--device cuda"},
		{DeviceOptions{Name: "cpu", Library: "none"}, "none"},
	} {
		if _, err := OpenDevice(c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.options, err, c.want)
		}
	}
}
