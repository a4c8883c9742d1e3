package vector

import (
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		value string
		best  Level
		want  Level
		err   string
	}{
		{"", None, None, ""},
		{"", AVX512, AVX512, ""},
		{"none", AVX512, None, ""},
		{"avx2", AVX512, AVX2, ""},
		{"avx2", AVX2, AVX2, ""},
		{"avx512", AVX512, AVX512, ""},
		{"avx512", AVX2, None, "this processor has no AVX-512 (it has: AVX2)"},
		{"avx2", None, None, "this processor has no AVX2 (it has: none)"},
		{"AVX2", AVX512, None, "give none, avx2 or avx512"},
		{"0", AVX512, None, "give none, avx2 or avx512"},
	} {
		got, err := choose(c.value, c.best)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s=%q on %v: %v, error %v; want %v, error with %q", Variable, c.value, c.best, got, err, c.want, c.err)
		}
	}
}
