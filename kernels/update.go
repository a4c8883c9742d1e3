package kernels

import "diaghess/gpu"

// The update kernels walk all tensors of a network in one launch. Parameters,
// gradients and slots lie in buffers of one layout, each tensor at a multiple
// of TensorAlignment elements, and a table cuts the tensors into chunks of at
// most 4096 elements, a block each.

// TensorAlignment is the distance in elements that tensors are aligned to: a
// 64-byte cache line.
const TensorAlignment = 16

// ChunkWords is the number of words that describe a chunk: offset, length,
// tensor, padding.
const ChunkWords = 4

// ChunkTable divides tensors, given by offsets and lengths in elements, into chunks. The
// second result numbers each tensor's first chunk, with the number of chunks at
// its end.
func ChunkTable(offsets, lengths []int) (chunks, first []uint32) {
	for tensor, offset := range offsets {
		first = append(first, uint32(len(chunks)/ChunkWords))
		for at := 0; at < lengths[tensor]; at += chunkElements {
			n := min(chunkElements, lengths[tensor]-at)
			chunks = append(chunks, uint32(offset+at), uint32(n), uint32(tensor), 0)
		}
	}
	return chunks, append(first, uint32(len(chunks)/ChunkWords))
}

// CoefficientWords is the number of numbers that a step's row of a rule's
// coefficient table holds: the learning rate first, then what the rule's bias
// corrections and the like need. The table is made on the host for all steps of
// a run, so that a step needs no copy and no power on the device.
const CoefficientWords = 4

// updateGrid gives each chunk a block.
func updateGrid(chunks gpu.Slice[uint32]) gpu.Grid {
	return gpu.Grid{Blocks: chunks.Len() / ChunkWords, Threads: threads}
}

// chunkAt returns the bounds of a chunk in the buffers and its tensor.
func chunkAt(chunks []uint32, chunk int) (lo, hi int, tensor uint32) {
	c := chunks[chunk*ChunkWords:][:ChunkWords]
	return int(c[0]), int(c[0] + c[1]), c[2]
}

// coefficientsAt returns the row of the state's step.
func coefficientsAt(table gpu.Slice[float32], state gpu.Slice[uint32]) [CoefficientWords]float32 {
	step := int(state.Host()[StateStep])
	return [CoefficientWords]float32(table.Host()[step*CoefficientWords:])
}

// updateCost is the cost of reading and writing the given numbers of buffers.
func updateCost(w gpu.Slice[float32], reads, writes, flops int64) gpu.Cost {
	n := int64(w.Len())
	return gpu.Cost{Bytes: 4 * n * (reads + writes), Flops: flops * n}
}
