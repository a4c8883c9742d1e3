//go:build cuda

package shim

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// library compiles a C file into a library.
func library(t *testing.T, path, source string) {
	t.Helper()
	compile := exec.Command(cmp.Or(os.Getenv("CC"), "cc"), "-shared", "-fPIC", "-x", "c", "-o", path, "-")
	compile.Stdin = strings.NewReader(source)
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// What answers with a number that it does not name is named, with what to do.
func TestInit(t *testing.T) {
	for source, words := range map[string][]string{
		"int cuInit(unsigned f) { return 34; } int cuGetErrorString(int c, char **t) { return 34; }": {"error 34: CUDA_ERROR_STUB_LIBRARY", "a stub library", "CUDA_DRIVER_LIB"},
		"int cuInit(unsigned f) { return 803; }":                                                     {"error 803: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "kernel's module"},
		"int cuInit(unsigned f) { return 4242; }":                                                    {"error 4242: unknown error"},
		"int other(void) { return 0; }":                                                              {"libcuda.so.1 has no function cuInit"},
	} {
		path := filepath.Join(t.TempDir(), "libcuda.so.1") // another each time: the last one is still open
		t.Setenv("CUDA_DRIVER_LIB", path)
		library(t, path, source)
		reset()
		err := Driver()
		for _, w := range words {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("error %v, want one with %q", err, w)
			}
		}
	}
}

// A cuDNN with a bad part is refused before it is called, and the part named.
func TestParts(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("CUDNN_LIB", folder)
	reset()
	file := regexp.MustCompile(`libcudnn(\.so\.\d+)`).FindStringSubmatch(CuDNN().Error())
	for _, part := range strings.Fields("graph ops cnn engines_precompiled engines_runtime_compiled heuristic ops_infer ops_train cnn_infer cnn_train") {
		if err := os.WriteFile(filepath.Join(folder, "libcudnn_"+part+file[1]), []byte("no library"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	library(t, filepath.Join(folder, file[0]), "unsigned long cudnnGetVersion(void) { return 1; }")
	reset()
	bad := regexp.MustCompile(`(/.*/libcudnn_.*): .*; cuDNN needs this part`)
	err, parts := CuDNN(), 0
	for ; bad.MatchString(err.Error()) && parts < 10; parts++ {
		library(t, bad.FindStringSubmatch(err.Error())[1], "")
		reset()
		err = CuDNN()
	}
	if parts < 4 || !strings.Contains(err.Error(), "version 1,") {
		t.Errorf("with %d parts: error %v, want at least 4 and one with the version", parts, err)
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
