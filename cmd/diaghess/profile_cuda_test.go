//go:build cuda

package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"diaghess/train"
)

// TestStandInRangesOfAProfiler profiles five steps and has a library that NVTX loads write the
// ranges down, as a profiler would. Each step must have its parts and layers, nested and closed.
func TestStandInRangesOfAProfiler(t *testing.T) {
	bench := strings.Fields("bench --device cuda --model mlp:layers=1,width=8,bn=before --batch 4 --repeats 1 --optimizers adamw --profile")
	if os.Getenv("NVTX_INJECTION64_PATH") != "" { // this is the program that is profiled
		if _, _, err := onStandIn(t, bench); err != nil {
			t.Fatal(err)
		}
		return
	}
	folder := t.TempDir()
	library, file := filepath.Join(folder, "injection.so"), filepath.Join(folder, "ranges")
	compile := exec.Command("sh", "-c", `eval "${CC:-cc} $CGO_CFLAGS" -shared -fPIC -o '"$0"' testdata/injection.c`, library)
	if said, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	program := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	program.Env = append(os.Environ(), "NVTX_INJECTION64_PATH="+library, "RANGES="+file)
	if said, err := program.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	var open []string // ranges
	threads := map[string]int{}
	leaves := map[string]int{} // paths of ranges without others within
	var parts []string         // outermost ranges, in order
	leaf := false
	for line := range strings.Lines(string(content)) {
		thread, what, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		threads[thread]++
		if name, begins := strings.CutPrefix(what, "+ "); begins {
			if len(open) == 0 {
				parts = append(parts, name)
			}
			open, leaf = append(open, name), true
			continue
		}
		if len(open) == 0 {
			t.Fatal("a range ends that none began")
		}
		if leaf {
			leaves[strings.Join(open, " > ")]++
		}
		open, leaf = open[:len(open)-1], false
	}
	if len(open) > 0 || len(threads) != 1 {
		t.Errorf("open at the end: %v; threads %v, want one", open, threads)
	}
	var want []string
	for range train.ProfileSteps {
		want = append(want, "gather", "dropout", "forward", "loss", "backward", "metrics", "update", "metrics")
	}
	if !slices.Equal(parts, want) {
		t.Errorf("parts %v, want %v", parts, want)
	}
	wantLeaves := map[string]int{}
	for _, path := range []string{
		"gather > gather", "dropout > dropout_mask",
		"forward > dense1 > dense forward", "forward > bn1 > columns_forward", "forward > out > dense forward", "forward > out > epilogue_forward",
		"loss > softmax_cross_entropy",
		"backward > out > columns_backward", "backward > out > dense backward-filter", "backward > out > dense backward-data",
		"backward > bn1 > columns_backward", "backward > dense1 > dense backward-filter",
		"metrics > batch_metrics", "update > adam_update", "metrics > advance",
	} {
		wantLeaves[path] = train.ProfileSteps
	}
	if !maps.Equal(leaves, wantLeaves) {
		t.Errorf("ops %v, want %v", leaves, wantLeaves)
	}
}
