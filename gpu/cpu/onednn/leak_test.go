//go:build onednn && linux

package onednn

import (
	"fmt"
	"os"
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
	for range 10 {
		round()
	}
	before := residentBytes(t)
	const rounds, limit = 600, 8 << 20
	for range rounds {
		round()
	}
	if grown := residentBytes(t) - before; grown > limit {
		t.Fatalf("%d rounds of create and close took %d more bytes, limit %d", rounds, grown, limit)
	}
}
