package kerneltest

import (
	"math/rand/v2"
	"slices"
)

// Cases returns every kernel at every size.
func Cases() []Case {
	return slices.Concat(
		batchNormCases(), epilogueCases(), columnsCases(), poolCases(), lossCases(),
		updateCases(), diagHessCases(), curvatureCases(), hesScaleCases(), tangentCases(), hutchinsonCases(), muonCases(), dropoutCases(), initialCases(), feedCases(), averageCases(),
	)
}

// lengths are the sizes of what has one extent: around a warp, a block of
// threads, and more than one block's 4096 elements; the last four are whole
// 16-byte accesses, of bytes too.
var lengths = []int{1, 3, 31, 33, 257, 1000, 5001, 16, 64, 4096, 5120}

// matrices are the sizes of [rows, channels]: the same, more than one chunk of
// 8192 elements, and rows longer than a block and than a chunk; in the last line
// rows of whole 16-byte accesses, fewer and more than a block's 128 side by side.
var matrices = [][2]int{
	{1, 1}, {1, 257}, {3, 31}, {31, 3}, {33, 33}, {257, 1}, {1000, 3}, {257, 33}, {3, 1000}, {1000, 33}, {9001, 1}, {2, 5000}, {3, 8193},
	{257, 64}, {65, 128}, {100, 12}, {1000, 4}, {33, 516},
}

// coarse draws multiples of 1/16 from -2 to 2. Sums and products of a few of
// them are exact in float32, ties and zeros are common.
func coarse(random *rand.Rand, n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(random.IntN(65)-32) / 16
	}
	return values
}

// normal draws from a normal distribution.
func normal(random *rand.Rand, n int, mean, deviation float64) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(mean + deviation*random.NormFloat64())
	}
	return values
}

// uniform draws from lo to hi.
func uniform(random *rand.Rand, n int, lo, hi float64) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(lo + (hi-lo)*random.Float64())
	}
	return values
}

// flags draws zeros and ones.
func flags(random *rand.Rand, n int) []uint8 {
	values := make([]uint8, n)
	for i := range values {
		values[i] = uint8(random.IntN(2))
	}
	return values
}

// rowsPerChunk is how many rows of a tensor a partial sum covers: 8192
// elements, at least one row.
func rowsPerChunk(channels int) int { return max(1, 8192/channels) }

// chunksOf cuts rows into chunks.
func chunksOf(rows, channels int) [][2]int {
	var chunks [][2]int
	for first := 0; first < rows; first += rowsPerChunk(channels) {
		chunks = append(chunks, [2]int{first, min(first+rowsPerChunk(channels), rows)})
	}
	return chunks
}
