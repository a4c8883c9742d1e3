//go:build !amd64

package cpu

import "diaghess/gpu/vector"

// nativeLibraries is empty: there are tiles for amd64 alone.
func nativeLibraries(vector.Level) []library { return nil }
