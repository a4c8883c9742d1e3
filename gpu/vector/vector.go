// Package vector says which vector instructions the Go assembly of this module may
// use. Results are bit-identical with AVX-512 and with AVX2, as both compute the same
// sums in the same order. Without vectors the convolutions come from another library,
// see package cpu.
//
// What does not belong here: code that uses the instructions.
package vector

import (
	"fmt"
	"os"

	"golang.org/x/sys/cpu"
)

// Level is a set of vector instructions; a higher one includes the lower ones.
type Level int

const (
	None   Level = iota // no vector instructions
	AVX2                // with FMA
	AVX512              // the foundation (F), with AVX2
)

func (l Level) String() string { return [...]string{"none", "AVX2", "AVX-512"}[l] }

// Variable is the environment variable that lowers the level of a process: none,
// avx2 or avx512.
const Variable = "DIAGHESS_VECTORS"

// level and levelError are set once, before main, and never again outside of tests.
var level, levelError = choose(os.Getenv(Variable), detect())

// Supported returns the level that this process uses. It returns None and an error if
// DIAGHESS_VECTORS has an unknown name, or a level that the processor does not have.
func Supported() (Level, error) { return level, levelError }

// detect returns the best level that processor and operating system support.
func detect() Level {
	switch {
	case !cpu.X86.HasAVX2 || !cpu.X86.HasFMA:
		return None
	case !cpu.X86.HasAVX512F:
		return AVX2
	}
	return AVX512
}

// choose reads the variable's value on a machine of the given level.
func choose(value string, best Level) (Level, error) {
	for l, name := range map[Level]string{None: "none", AVX2: "avx2", AVX512: "avx512"} {
		if value != name {
			continue
		}
		if l > best {
			return None, fmt.Errorf("%s=%s: this processor has no %v (it has: %v)", Variable, value, l, best)
		}
		return l, nil
	}
	if value != "" {
		return None, fmt.Errorf("%s=%s: give none, avx2 or avx512, or leave it unset to use what the processor has", Variable, value)
	}
	return best, nil
}
