//go:build cuda

package cuda

import (
	"testing"

	"diaghess/gpu"
	"diaghess/kernels"
)

// Each argument lies in eight bytes of its own, its bytes first and zeros after them: cu
// reads eight whatever the type is.
func TestPack(t *testing.T) {
	state := gpu.View[uint32](&gpu.Buffer{Address: 0x0123456789abcdef, Size: 16})
	pointers := pack(gpu.Arguments(&kernels.Advance{State: state, Rows: 0xfedcba98}))
	want := []uint64{0x0123456789abcdef, 0xfedcba98}
	if len(pointers) != len(want) {
		t.Fatalf("%d arguments, want %d", len(pointers), len(want))
	}
	for i, p := range pointers {
		if got := *(*uint64)(p); got != want[i] {
			t.Errorf("argument %d is %#x, want %#x", i, got, want[i])
		}
	}
}
