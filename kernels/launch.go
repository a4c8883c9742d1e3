package kernels

import "diaghess/gpu"

// All launch geometry is in this file.

// threads is the block size of every kernel that has no reason for another.
const threads = 256

// warpsPerBlock is how many warps such a block has.
const warpsPerBlock = threads / 32

// elementsPerBlock is the work of a block of an elementwise kernel: 16
// elements, four 16-byte accesses, a thread.
const elementsPerBlock = 4096

// elementsPerChunk is the work of a block of the first stage of a reduction
// over rows: enough that the second stage has little to add.
const elementsPerChunk = 8192

// chunkElements is the most elements of a tensor that a block of an optimizer's
// update works on.
const chunkElements = 4096

// blocksOf returns how many blocks of the given size cover n.
func blocksOf(n, size int) int { return (n + size - 1) / size }

// elementGrid covers n elements.
func elementGrid(n int) gpu.Grid {
	return gpu.Grid{Blocks: blocksOf(n, elementsPerBlock), Threads: threads}
}

// rowsPerBlock returns how many rows of the given number of channels a block of
// an elementwise kernel works on.
func rowsPerBlock(channels int32) int { return max(1, elementsPerBlock/int(channels)) }

// rowGrid covers rows x channels elements in whole rows.
func rowGrid(rows, channels int32) gpu.Grid {
	return gpu.Grid{Blocks: blocksOf(int(rows), rowsPerBlock(channels)), Threads: threads}
}

// rowsPerChunk returns how many rows the first stage of a reduction sums.
func rowsPerChunk(channels int32) int { return max(1, elementsPerChunk/int(channels)) }

// Chunks returns the number of partial sums that a reduction over rows leaves
// for each channel: the first extent of its partial buffer [Chunks, 2,
// channels].
func Chunks(rows, channels int32) int { return blocksOf(int(rows), rowsPerChunk(channels)) }

// chunkGrid is the first stage of a reduction over rows.
func chunkGrid(rows, channels int32) gpu.Grid {
	return gpu.Grid{Blocks: Chunks(rows, channels), Threads: threads}
}

// channelsPerBlock is how many channels a block of a reduction's second stage
// finishes: a warp reads that many neighbours.
const channelsPerBlock = 32

// channelGrid covers channels.
func channelGrid(channels int32) gpu.Grid {
	return gpu.Grid{Blocks: blocksOf(int(channels), channelsPerBlock), Threads: threads}
}

// columnRows is the most rows of a tensor that a block sees whole columns of: a
// thread keeps 16 of them in registers.
const columnRows = 128

// rowsPerSoftmaxBlock rows are a block's: one a warp.
const rowsPerSoftmaxBlock = warpsPerBlock

// span returns the elements first to last-1 of blocks lo to hi-1, size elements
// each, of n.
func span(lo, hi, size, n int) (first, last int) {
	return lo * size, min(hi*size, n)
}

// Flag is a bool as a kernel's parameter.
func Flag(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}
