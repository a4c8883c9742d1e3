// Package build_test tries what finds the headers of the device cuda.
package build_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// What is there decides: a compiler, its C library, headers new enough to compile.
func TestHeaders(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the device cuda is for Linux")
	}
	program := filepath.Join(t.TempDir(), "program")
	write(t, program+".c", "#include <dlfcn.h>\nint main(void) { return 0; }\n")
	if said, err := exec.Command("cc", "-o", program, program+".c").CombinedOutput(); err != nil {
		t.Skipf("no C compiler that builds a program: %v\n%s", err, said)
	}
	// What try.c includes; the real ones have more.
	toolkit := func(cuda, cudnn string) string {
		folder := filepath.Join(t.TempDir(), "a toolkit", "include")
		write(t, filepath.Join(folder, "cuda.h"), "#define CUDA_VERSION "+cuda+"\n")
		major, minor, _ := strings.Cut(cudnn, ".")
		write(t, filepath.Join(folder, "cudnn.h"), fmt.Sprintf("#define CUDNN_MAJOR %s\n#define CUDNN_MINOR %s\n", major, minor))
		return filepath.Dir(folder)
	}
	broken := filepath.Join(t.TempDir(), "cc")
	write(t, broken, "#!/bin/sh\necho 'error: dlfcn.h: No such file or directory' >&2\nexit 1\n")

	for _, c := range []struct {
		name        string
		arguments   []string
		environment []string
		home        string // of the toolkit
		said, tags  string
		fails       bool
	}{
		{name: "oldest", home: toolkit("11080", "8.9"), said: "building with the device cuda: headers of CUDA 11.8 and cuDNN 8.9", tags: "tags=cuda"},
		{name: "old CUDA", home: toolkit("11070", "8.9"), said: "the headers are of CUDA 11.7 and cuDNN 8.9, and it needs CUDA 11.8 and cuDNN 8.9 or newer", tags: "tags="},
		{name: "old cuDNN", home: toolkit("12040", "8.2"), said: "the headers are of CUDA 12.4 and cuDNN 8.2, and it needs", tags: "tags="},
		{name: "not C", home: toolkit("12040\nint ;;x", "9.1"), said: "the headers of CUDA 12.4 and cuDNN 9.1 do not compile (", tags: "tags="},
		{name: "a name that a shell expands", home: filepath.Join(t.TempDir(), "$(touch injected)"), said: "has no include/cuda.h", tags: "tags="},
		{name: "no folder", home: t.TempDir(), said: "has no include/cuda.h", tags: "tags="},
		{name: "asked for", home: t.TempDir(), arguments: []string{"fetch"}, said: "cannot build the device cuda: CUDA_HOME", fails: true},
		{name: "no cgo", environment: []string{"CGO_ENABLED=0"}, said: "building for the CPU only (the device cuda is left out: CGO_ENABLED=0 turns cgo off", tags: "tags="},
		{name: "no compiler", environment: []string{"CGO_ENABLED=", "CC=no-such-compiler"}, said: "building for the CPU only (the device cuda is left out: there is no C compiler (no-such-compiler)", tags: "tags="},
		{name: "no C library", environment: []string{"CC=" + broken}, said: "cannot build a program: install libc6-dev or what your system calls it (error: dlfcn.h", tags: "tags="},
		{name: "another processor", environment: []string{"CGO_ENABLED=", "GOARCH=" + map[bool]string{true: "arm64", false: "amd64"}[runtime.GOARCH == "amd64"]}, said: "building for the CPU only (the device cuda is left out: cgo is off: set CGO_ENABLED=1", tags: "tags="},
		{name: "another system", environment: []string{"GOOS=darwin"}, said: "building for the CPU only (the device cuda is left out: it needs Linux", tags: "tags="},
	} {
		t.Run(c.name, func(t *testing.T) {
			command := exec.Command("./headers", c.arguments...)
			command.Env = append(append(os.Environ(), "CGO_ENABLED=1"), c.environment...)
			if c.home != "" {
				command.Env = append(command.Env, "CUDA_HOME="+c.home, "CUDNN_HOME="+c.home)
			}
			var said strings.Builder
			command.Stderr = &said
			printed, err := command.Output()
			if (err != nil) != c.fails || !strings.Contains(said.String(), c.said) {
				t.Fatalf("%v, said %q, want %q", err, said.String(), c.said)
			}
			if !strings.HasSuffix(strings.TrimSpace(string(printed)), c.tags) {
				t.Errorf("printed %q, want %s last", printed, c.tags)
			}
		})
	}
}

// write writes a file that can be run, and the folder that it is in.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}
