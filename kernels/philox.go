package kernels

import (
	"hash/fnv"
	"math/bits"
)

// Philox is the counter-based generator Philox4x32-10 of Salmon, Moraes, Dror
// and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011: four 32-bit
// words, a pure function of a 128-bit counter and a 64-bit key.
//
// The project's convention: key = the run's seed; counter = (index, step,
// stream), see [Random].
func Philox(counter [4]uint32, key [2]uint32) [4]uint32 {
	const (
		multiplier0, multiplier1 = 0xD2511F53, 0xCD9E8D57
		weyl0, weyl1             = 0x9E3779B9, 0xBB67AE85
	)
	c0, c1, c2, c3 := counter[0], counter[1], counter[2], counter[3]
	k0, k1 := key[0], key[1]
	for range 10 {
		hi0, lo0 := bits.Mul32(multiplier0, c0)
		hi1, lo1 := bits.Mul32(multiplier1, c2)
		c0, c1, c2, c3 = hi1^c1^k0, lo1, hi0^c3^k1, lo0
		k0 += weyl0
		k1 += weyl1
	}
	return [4]uint32{c0, c1, c2, c3}
}

// Random returns the four words number index of a stream of random numbers, at
// a step: counter (index, index >> 32, step, stream), key = seed.
func Random(seed uint64, stream, step uint32, index uint64) [4]uint32 {
	return Philox(
		[4]uint32{uint32(index), uint32(index >> 32), step, stream},
		[2]uint32{uint32(seed), uint32(seed >> 32)},
	)
}

// Uniform turns a random word into a float32 in [0, 1), a multiple of 2^-24.
func Uniform(word uint32) float32 { return float32(word>>8) * (1.0 / (1 << 24)) }

// RandomStream numbers the stream of a purpose, such as "dropout/1": the 32-bit
// FNV-1a hash of its name.
func RandomStream(purpose string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(purpose))
	return h.Sum32()
}
