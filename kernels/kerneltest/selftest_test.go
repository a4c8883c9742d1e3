package kerneltest

import (
	"strings"
	"testing"
	"time"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
)

// The self-test passes on the cpu, and finds a convolution that is off.
func TestSelfTest(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	device, err := cpu.New(cpu.Options{Library: "gonum"})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	checks, err := SelfTest(t.Context(), device)
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d checks in %v", checks, time.Since(start))
	checked, err := SelfTest(t.Context(), mislaid{device})
	if err == nil || !strings.Contains(err.Error(), "conv") || checked != checks {
		t.Errorf("%d of %d checks of a device that takes its filters in another layout than it says: %v", checked, checks, err)
	}
}

// mislaid says that it takes filters as OHWI, and takes them as HWIO.
type mislaid struct{ gpu.Device }

func (mislaid) FilterLayout() gpu.FilterLayout { return gpu.OHWI }

func (d mislaid) NewStream() (gpu.Stream, error) {
	s, err := d.Device.NewStream()
	return mislaidStream{s, d}, err
}

type mislaidStream struct {
	gpu.Stream
	device gpu.Device
}

func (s mislaidStream) Device() gpu.Device { return s.device }
