//go:build !linux

package gpu

// hostMemory knows nothing of the memory of this system.
func hostMemory(int64, int64) (free, limit int64) { return 0, 0 }
