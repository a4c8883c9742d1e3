package ptx

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// roundBig rounds an exact value to float32, in a mode, by big.Float: an oracle that shares nothing with the code under test.
// zero is the sign of an exact zero.
func roundBig(exact *big.Float, mode rounding, zeroNegative bool) float32 {
	if exact.Sign() == 0 {
		if zeroNegative {
			return float32(math.Copysign(0, -1))
		}
		return 0
	}
	// The precision that float32 has at this magnitude: 24 bits, fewer for subnormals. big.Float cannot have 0 bits, so values
	// below the smallest subnormal are compared with it and its half.
	exponent := exact.MantExp(nil) // exact = m * 2^exponent, 0.5 <= m < 1
	negative := exact.Sign() < 0
	away := mode == downward && negative
	tiny := func(nonzero bool) float32 {
		f := float32(0)
		if nonzero {
			f = math.SmallestNonzeroFloat32
		}
		if negative {
			f = -f
			if !nonzero {
				f = float32(math.Copysign(0, -1))
			}
		}
		return f
	}
	if exponent < -148 {
		half := big.NewFloat(0x1p-150)
		return tiny(away || mode == nearest && new(big.Float).Abs(exact).Cmp(half) > 0)
	}
	precision := uint(24)
	if exponent < -125 {
		precision = uint(24 - (-125 - exponent))
	}
	rounded := new(big.Float).SetPrec(precision).SetMode([]big.RoundingMode{big.ToNearestEven, big.ToNegativeInf, big.ToZero}[mode]).Set(exact)
	f, _ := rounded.Float64() // exact: at most 24 bits
	if math.Abs(f) > math.MaxFloat32 {
		if mode == nearest || away {
			return float32(math.Copysign(math.Inf(1), f))
		}
		return float32(math.Copysign(math.MaxFloat32, f))
	}
	return float32(f)
}

func bigFloat(f float32) *big.Float { return new(big.Float).SetPrec(2000).SetFloat64(float64(f)) }

// hard draws operands that are likely to lie near a middle between two float32, to cancel, to underflow or to overflow.
func hard(random *rand.Rand) float32 {
	switch random.IntN(6) {
	case 0:
		return math.Float32frombits(random.Uint32())
	case 1: // few bits: products and sums fall on middles
		return float32(math.Ldexp(float64(1+random.IntN(7)), random.IntN(60)-30))
	case 2: // one unit from a power of two
		bits := uint32(random.IntN(254)+1)<<23 + uint32(random.IntN(3)-1)
		return math.Float32frombits(bits | uint32(random.IntN(2))<<31)
	case 3: // subnormal
		return math.Float32frombits(random.Uint32()>>(9+random.IntN(23)) | uint32(random.IntN(2))<<31)
	case 4: // near the smallest normal numbers
		return float32(math.Ldexp(1+random.Float64(), -126-random.IntN(24)+random.IntN(26)))
	}
	return float32(math.Ldexp(random.Float64()*2-1, random.IntN(20)))
}

func finite(values ...float32) bool {
	for _, v := range values {
		if v != v || math.IsInf(float64(v), 0) {
			return false
		}
	}
	return true
}

func same(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }

func TestRoundedOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	const seed = 12
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range 400_000 {
		a, b, c := hard(random), hard(random), hard(random)
		if i%3 == 0 { // the addend near the product's last bits: the sum is near a middle, or cancels
			product := float64(a) * float64(b)
			c = float32(-product * (1 + float64(random.IntN(5)-2)*0x1p-24))
			if i%2 == 0 {
				c = float32(product * math.Ldexp(float64(random.IntN(9)-4), -random.IntN(54)))
			}
		}
		if !finite(a, b, c) {
			continue
		}
		product := new(big.Float).SetPrec(2000).Mul(bigFloat(a), bigFloat(b))
		sum := new(big.Float).SetPrec(2000).Add(product, bigFloat(c))
		for mode := nearest; mode <= towardZero; mode++ {
			negativeProduct, negativeAddend := math.Signbit(float64(a)) != math.Signbit(float64(b)), math.Signbit(float64(c))
			want := roundBig(sum, mode, negativeProduct && negativeAddend || mode == downward && (negativeProduct || negativeAddend))
			if got := fma32(a, b, c, mode); !same(got, want) {
				t.Fatalf("seed %d: fma mode %d of %x, %x, %x: %x, want %x", seed, mode, a, b, c, got, want)
			}
		}
	}
}

// TestIntegerToFloatRoundedOnce compares cvt from 64-bit integers with big.Float.
func TestIntegerToFloatRoundedOnce(t *testing.T) {
	const seed = 14
	random := rand.New(rand.NewPCG(seed, 0))
	for range 100_000 {
		v := random.Uint64() >> random.IntN(64)
		if random.IntN(2) == 0 { // around a middle
			v = v&^0xff_ffff_ffff | 0x80_0000_0000 + uint64(random.IntN(3)) - 1
		}
		for _, a := range []dataType{{'u', 64}, {'s', 64}} {
			exact := new(big.Float).SetPrec(64).SetUint64(v)
			if a.signed() {
				exact.SetInt64(int64(v))
			}
			got := math.Float32frombits(uint32(conversion("rn", types["f32"], a)(v)))
			if want := roundBig(exact, nearest, false); !same(got, want) {
				t.Fatalf("seed %d: %v %#x: %x, want %x", seed, a, v, got, want)
			}
		}
	}
}
