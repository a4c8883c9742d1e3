package kernels

import "hash/fnv"

// Philox is the counter-based generator Philox4x32-10. It returns four 32-bit words, a
// pure function of a 128-bit counter and a 64-bit key. The source is Salmon, Moraes, Dror
// and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
//
// The project's convention: key = the run's seed; counter = (index, step,
// stream), see [Random].
func Philox(counter [4]uint32, key [2]uint32) [4]uint32 {
	c0, c1, c2, c3 := philox(counter[0], counter[1], counter[2], counter[3], key[0], key[1])
	return [4]uint32{c0, c1, c2, c3}
}

const (
	rounds                   = 10
	multiplier0, multiplier1 = 0xD2511F53, 0xCD9E8D57
	weyl0, weyl1             = 0x9E3779B9, 0xBB67AE85
)

// philox is Philox on words, which the compiler keeps in registers, unlike
// arrays.
func philox(c0, c1, c2, c3, k0, k1 uint32) (_, _, _, _ uint32) {
	for range rounds {
		product0, product1 := multiplier0*uint64(c0), multiplier1*uint64(c2)
		c0, c1, c2, c3 = uint32(product1>>32)^c1^k0, uint32(product1), uint32(product0>>32)^c3^k1, uint32(product0)
		k0 += weyl0
		k1 += weyl1
	}
	return c0, c1, c2, c3
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
