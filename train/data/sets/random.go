package sets

import "math"

// randomState is NumPy's legacy generator, numpy.random.RandomState: the stream that
// scikit-learn samples from. Source: M. Matsumoto and T. Nishimura, "Mersenne Twister",
// ACM TOMACS 8(1), 1998, and numpy/random/src/legacy of NumPy, whose stream is frozen.
type randomState struct {
	key  [twisterSize]uint32
	next int

	// The polar method makes two normals at once.
	spare    float64
	hasSpare bool
}

const (
	twisterSize  = 624
	twisterShift = 397
)

// newRandomState returns RandomState(seed).
func newRandomState(seed uint32) *randomState {
	r := &randomState{next: twisterSize}
	r.key[0] = seed
	for i := 1; i < twisterSize; i++ {
		r.key[i] = 1812433253*(r.key[i-1]^r.key[i-1]>>30) + uint32(i)
	}
	return r
}

// uint32 returns the next 32 random bits.
func (r *randomState) uint32() uint32 {
	if r.next == twisterSize {
		for i := range r.key {
			y := r.key[i]&0x80000000 | r.key[(i+1)%twisterSize]&0x7fffffff
			r.key[i] = r.key[(i+twisterShift)%twisterSize] ^ y>>1 ^ -(y&1)&0x9908b0df
		}
		r.next = 0
	}
	y := r.key[r.next]
	r.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// float64 returns random_sample(): uniform in [0, 1), with 53 bits.
func (r *randomState) float64() float64 {
	high, low := r.uint32()>>5, r.uint32()>>6
	return (float64(high)*(1<<26) + float64(low)) / (1 << 53)
}

// signed returns 2*random_sample() - 1.
func (r *randomState) signed() float64 { return 2*r.float64() - 1 }

// normal returns standard_normal(), by the polar method.
func (r *randomState) normal() float64 {
	if r.hasSpare {
		r.hasSpare = false
		return r.spare
	}
	for {
		x, y := r.signed(), r.signed()
		// The conversions keep a compiler from fusing the products with the sum.
		if square := float64(x*x) + float64(y*y); square < 1 && square != 0 {
			scale := math.Sqrt(-2 * log(square) / square)
			r.spare, r.hasSpare = scale*x, true
			return scale * y
		}
	}
}

// upTo returns an integer from 0 to largest, by rejection under a mask: randint(largest+1).
func (r *randomState) upTo(largest uint32) uint32 {
	if largest == 0 {
		return 0
	}
	mask := largest
	for shift := 1; shift < 32; shift *= 2 {
		mask |= mask >> shift
	}
	for {
		if value := r.uint32() & mask; value <= largest {
			return value
		}
	}
}

// shuffle is shuffle(values), in place.
func (r *randomState) shuffle(values []uint32) {
	for i := len(values) - 1; i > 0; i-- {
		j := r.upTo(uint32(i))
		values[i], values[j] = values[j], values[i]
	}
}

// permutation returns permutation(n): 0 to n-1 in random order.
func (r *randomState) permutation(n int) []uint32 {
	order := make([]uint32, n)
	for i := range order {
		order[i] = uint32(i)
	}
	r.shuffle(order)
	return order
}
