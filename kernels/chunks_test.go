package kernels_test

import (
	"slices"
	"testing"

	"diaghess/kernels"
)

func TestChunkTable(t *testing.T) {
	chunks, first := kernels.ChunkTable([]int{0, 16, 8224}, []int{3, 8200, 4096})
	wantChunks := []uint32{
		0, 3, 0, 0,
		16, 4096, 1, 0, 4112, 4096, 1, 0, 8208, 8, 1, 0,
		8224, 4096, 2, 0,
	}
	if wantFirst := []uint32{0, 1, 4, 5}; !slices.Equal(chunks, wantChunks) || !slices.Equal(first, wantFirst) {
		t.Errorf("chunks %v, first %v, want %v and %v", chunks, first, wantChunks, wantFirst)
	}
}

// Chunks hold 8192 elements in whole rows, at least one row.
func TestChunks(t *testing.T) {
	for _, c := range []struct{ rows, channels, want int32 }{
		{1, 1, 1}, {8192, 1, 1}, {8193, 1, 2}, {65536, 32, 256}, {273, 30, 1}, {274, 30, 2}, {5, 8192, 5}, {5, 9000, 5},
	} {
		if got := kernels.Chunks(c.rows, c.channels); got != int(c.want) {
			t.Errorf("%d rows of %d channels: %d chunks, want %d", c.rows, c.channels, got, c.want)
		}
	}
}

func TestPooledRows(t *testing.T) {
	for _, c := range []struct{ pictures, height, width, want int32 }{
		{1, 1, 1, 1}, {3, 1, 2, 3}, {2, 5, 3, 12}, {64, 32, 32, 64 * 256},
	} {
		if got := kernels.PooledRows(c.pictures, c.height, c.width); got != c.want {
			t.Errorf("%d pictures of %dx%d: %d pooled rows, want %d", c.pictures, c.height, c.width, got, c.want)
		}
	}
}
