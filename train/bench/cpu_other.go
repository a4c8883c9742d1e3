//go:build !linux && !darwin

package bench

// cpuSeconds is not known here.
func cpuSeconds() float64 { return 0 }
