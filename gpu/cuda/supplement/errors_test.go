//go:build cuda

package supplement

import (
	"errors"
	"strings"
	"testing"

	"gorgonia.org/cu"
	cudnn "gorgonia.org/cu/dnn"
)

// What cu and dnn return gets number, call and, where the user can do something, what.
func TestWrap(t *testing.T) {
	if err := Wrap("call", nil); err != nil {
		t.Errorf("no error became %v", err)
	}
	for _, c := range []struct {
		err                 error
		library             string
		code                int
		memory, unsupported bool
		says                string
	}{
		{cu.OutOfMemory, "CUDA", 2, true, false, "error 2"},
		{cu.IllegalAddress, "CUDA", 700, false, false, "CUDA_LAUNCH_BLOCKING"},
		{driverError("call", 222), "CUDA", 222, false, false, "update the driver"},
		{driverError("call", 209), "CUDA", 209, false, false, "compute capability"},
		{driverError("call", 46), "CUDA", 46, false, false, "CUDA_ERROR_DEVICE_UNAVAILABLE (another process"},
		{cudnn.AllocFailed, "cuDNN", int(cudnn.AllocFailed), true, false, "cuDNN error"},
		{cudnn.NotSupported, "cuDNN", int(cudnn.NotSupported), false, true, "cuDNN error"},
		{cudnn.ArchMismatch, "cuDNN", int(cudnn.ArchMismatch), false, true, "cuDNN error"},
		{cudnn.InternalError, "cuDNN", int(cudnn.InternalError), false, false, "cuDNN error"},
	} {
		err := Wrap("call", c.err)
		var e *Error
		if !errors.As(err, &e) || e.Library != c.library || e.Code != c.code || !strings.Contains(err.Error(), "call: ") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v became %v, want %s error %d with %q", c.err, err, c.library, c.code, c.says)
		}
		if IsOutOfMemory(err) != c.memory || IsUnsupported(err) != c.unsupported {
			t.Errorf("%v: out of memory %t, unsupported %t", err, IsOutOfMemory(err), IsUnsupported(err))
		}
	}
	other := errors.New("other")
	if err := Wrap("call", other); !errors.Is(err, other) {
		t.Errorf("another error became %v", err)
	}
	if IsOutOfMemory(other) || IsUnsupported(other) || IsOutOfMemory(nil) {
		t.Error("an error of nobody is out of memory or unsupported")
	}
}

func TestVersionText(t *testing.T) {
	for n, want := range map[int]string{92700: "9.27.0", 90100: "9.1.0", 8907: "8.9.7", 8600: "8.6.0", 100203: "10.2.3"} {
		if got := versionText(n); got != want {
			t.Errorf("version %d is %s, want %s", n, got, want)
		}
	}
}
