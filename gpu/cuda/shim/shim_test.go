//go:build cuda

package shim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorgonia.org/cu"
	cudnn "gorgonia.org/cu/dnn"
)

// Where there is no library, the error names what was looked for and what to do, and
// what cu and dnn call refuses.
func TestMissing(t *testing.T) {
	t.Setenv("CUDA_DRIVER_LIB", filepath.Join(t.TempDir(), "none.so"))
	reset()
	err := Driver()
	if err == nil || !strings.Contains(err.Error(), "none.so") || !strings.Contains(err.Error(), "CUDA_DRIVER_LIB") {
		t.Errorf("error %v, want one with the path and the variable", err)
	}
	folder := t.TempDir()
	t.Setenv("CUDNN_LIB", folder)
	err = CuDNN()
	if want := filepath.Join(folder, "libcudnn.so."); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "CUDNN_LIB") {
		t.Errorf("error %v, want one with %s and the variable", err, want)
	}
	if _, err := cu.NumDevices(); err != cu.NoDevice {
		t.Errorf("cuDeviceGetCount: %v, want %v", err, cu.NoDevice)
	}
	if _, err := cudnn.NewTensorDescriptor(cudnn.NHWC, cudnn.Float, []int{1, 1, 1, 1}, nil); err != cudnn.NotInitialized {
		t.Errorf("cudnnCreateTensorDescriptor: %v, want %v", err, cudnn.NotInitialized)
	}
}

// A file that is no library is an error too.
func TestNoLibrary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text.so")
	if err := os.WriteFile(path, []byte("no library"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CUDA_DRIVER_LIB", path)
	reset()
	if err := Driver(); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want one with %s", err, path)
	}
}

func TestSet(t *testing.T) {
	Clear()
	if err := Driver(); err == nil {
		t.Error("a driver without a function is usable")
	}
	if err := Set("cuNoSuch", nil); err == nil {
		t.Error("a name that nobody calls was set")
	}
}
