//go:build onednn && linux

package onednn

import (
	"fmt"
	"os"
	"runtime"
	"testing"
)

// residentBytes returns the physical memory of this process.
func residentBytes(t *testing.T) int {
	t.Helper()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip(err)
	}
	var total, resident int
	if _, err := fmt.Sscan(string(statm), &total, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * os.Getpagesize()
}

// TestCloseFreesAll makes and frees the network's convolutions many times. A round holds 4 MB of scratch memory, and its memory objects
// alone are 45 kB; the library's own cache of primitives and the allocator have their share after the first rounds.
func TestCloseFreesAll(t *testing.T) {
	round := func() {
		worker, err := NewWorker()
		if err != nil {
			t.Fatal(err)
		}
		defer worker.Close()
		for _, shape := range networkShapes(16) {
			newConvolution(t, worker, shape)
		}
	}
	// On one thread of the operating system the allocator works in one arena; a
	// goroutine that wanders leaves free memory behind in several.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for range 10 {
		round()
	}
	before := residentBytes(t)
	// Half of what leaking the memory objects alone would take.
	const rounds = 600
	const limit = rounds * 45_000 / 2
	for range rounds {
		round()
	}
	if grown := residentBytes(t) - before; grown > limit {
		t.Fatalf("%d rounds of create and close took %d more bytes, limit %d", rounds, grown, limit)
	}
}
