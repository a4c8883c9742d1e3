//go:build linux || darwin

package main

import (
	"fmt"
	"math"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"diaghess/gpu"
)

// The least that the program needs: a few files beside the standard ones, and memory for
// itself and a small network. Where the system refuses the runtime these, the runtime ends
// the process in a way that nobody can read.
const (
	leastFiles  = 24
	leastMemory = 64 << 20
)

// enough says which limit of this process is too small to begin with.
func enough() error {
	var files, memory unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil && files.Cur < leastFiles {
		return fmt.Errorf("this process may open %d files and needs %d: raise the limit with ulimit -n", files.Cur, leastFiles)
	}
	if unix.Getrlimit(unix.RLIMIT_AS, &memory) == nil && memory.Cur < math.MaxInt64 {
		if free, limit := gpu.HostMemory(); limit > 0 {
			debug.SetMemoryLimit(max(leastMemory, free)) // garbage is collected in time
		}
	}
	if err := gpu.CheckMemory(leastMemory); err != nil {
		return fmt.Errorf("too little memory to begin: %w; raise ulimit -v or -d, or the container's limit", err)
	}
	return nil
}
