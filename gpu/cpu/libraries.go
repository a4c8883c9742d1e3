package cpu

import "diaghess/gpu/vector"

// libraries returns what this process can use at a level of vectors, the fastest
// first.
func libraries(level vector.Level) []library {
	return append(nativeLibraries(level), gonumLibrary{})
}
