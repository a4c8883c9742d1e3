package kernels_test

import (
	"testing"

	"diaghess/kernels"
)

// Known answers of Philox4x32-10: D. E. Shaw Research, Random123,
// tests/kat_vectors.
func TestPhiloxKnownAnswers(t *testing.T) {
	const ones = 0xffffffff
	for _, v := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{ones, ones, ones, ones}, [2]uint32{ones, ones}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{ // digits of pi
			[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
		},
	} {
		if got := kernels.Philox(v.counter, v.key); got != v.want {
			t.Errorf("Philox(%08x, %08x) = %08x, want %08x", v.counter, v.key, got, v.want)
		}
	}
}

// Random puts its arguments where its doc says, by the same known answers.
func TestRandomCounter(t *testing.T) {
	got := kernels.Random(0x299f31d0a4093822, 0x03707344, 0x13198a2e, 0x85a308d3243f6a88)
	if want := [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}; got != want {
		t.Errorf("Random of the digits of pi is %08x, want %08x", got, want)
	}
}

func TestUniform(t *testing.T) {
	for word, want := range map[uint32]float32{
		0: 0, 255: 0, 256: 1.0 / (1 << 24), 1 << 31: 0.5, 0xffffffff: 1 - 1.0/(1<<24),
	} {
		if got := kernels.Uniform(word); got != want {
			t.Errorf("Uniform(%#x) = %v, want %v", word, got, want)
		}
	}
}

// Known answers of 32-bit FNV-1a: the offset basis for the empty string, and
// "a" and "foobar" from draft-eastlake-fnv, section 6 (test vectors).
func TestRandomStream(t *testing.T) {
	for purpose, want := range map[string]uint32{"": 0x811c9dc5, "a": 0xe40c292c, "foobar": 0xbf9cf968} {
		if got := kernels.RandomStream(purpose); got != want {
			t.Errorf("RandomStream(%q) = %#x, want %#x", purpose, got, want)
		}
	}
	streams := map[uint32]string{}
	for _, purpose := range []string{"dropout/1", "dropout/2", "dropout/3", "dropout/10", "dropout/11", "init/conv1/kernel", "init/conv2/kernel"} {
		if other, ok := streams[kernels.RandomStream(purpose)]; ok {
			t.Errorf("%q and %q share a stream", purpose, other)
		}
		streams[kernels.RandomStream(purpose)] = purpose
	}
}
