package gpu_test

import (
	"fmt"
	"slices"
	"testing"

	"diaghess/gpu"
)

// host is a buffer in host memory at a made-up address.
func host(bytes int) *gpu.Buffer {
	return &gpu.Buffer{Address: 0x1000, Host: make([]byte, bytes), Size: bytes}
}

// panics fails unless body panics with a message of this package.
func panics(t *testing.T, what string, body func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if message := fmt.Sprint(recover()); len(message) < 4 || message[:4] != "gpu:" {
			t.Errorf("%s: panic %q, want one of package gpu", what, message)
		}
	}()
	body()
}

func TestSlice(t *testing.T) {
	b := host(4*10 + 3)
	s := gpu.View[float32](b)
	if s.Len() != 10 || s.IsNull() || s.Address() != 0x1000 {
		t.Errorf("a view of 43 bytes: %d elements at %#x, want 10 at 0x1000", s.Len(), s.Address())
	}
	for i := range s.Host() {
		s.Host()[i] = float32(i)
	}
	part := s.Sub(3, 8).Sub(1, 4)
	if part.Len() != 3 || part.Address() != 0x1000+4*4 || !slices.Equal(part.Host(), []float32{4, 5, 6}) {
		t.Errorf("elements 4 to 6: %v at %#x", part.Host(), part.Address())
	}
	if cap(part.Host()) != 3 {
		t.Errorf("the host memory of 3 elements has room for %d", cap(part.Host()))
	}
	if bytes := gpu.View[uint8](b).Sub(5, 43); bytes.Len() != 38 || bytes.Address() != 0x1005 {
		t.Errorf("bytes 5 to 42: %d at %#x", bytes.Len(), bytes.Address())
	}
	if empty := s.Sub(10, 10); empty.Len() != 0 || empty.IsNull() || empty.Host() != nil {
		t.Errorf("an empty slice: %d elements, null %t, memory %v", empty.Len(), empty.IsNull(), empty.Host())
	}
	for _, bounds := range [][2]int{{-1, 2}, {3, 2}, {0, 11}, {11, 11}} {
		panics(t, fmt.Sprint("Sub", bounds), func() { s.Sub(bounds[0], bounds[1]) })
	}
}

func TestNullSlice(t *testing.T) {
	var null gpu.Slice[int32]
	if !null.IsNull() || null.Len() != 0 || null.Address() != 0 || null.Host() != nil || !null.Sub(0, 0).IsNull() {
		t.Errorf("the zero value is not null: %+v", null)
	}
}

func TestHostOfDeviceMemory(t *testing.T) {
	device := gpu.View[float32](&gpu.Buffer{Address: 0x1000, Size: 8})
	panics(t, "Host of device memory", func() { device.Host() })
}

// A copy of another length than the slice is a programmer's mistake.
func TestCopyLengths(t *testing.T) {
	s := gpu.View[float32](host(8))
	panics(t, "Upload", func() { _ = gpu.Upload(nil, s, make([]float32, 3)) })
	panics(t, "Download", func() { _ = gpu.Download(nil, make([]float32, 1), s) })
	// Nothing to copy needs no stream.
	if err := gpu.Upload(nil, gpu.Slice[float32]{}, nil); err != nil {
		t.Error(err)
	}
	if err := gpu.Download(nil, nil, gpu.Slice[float32]{}); err != nil {
		t.Error(err)
	}
}
