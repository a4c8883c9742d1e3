//go:build linux || darwin

package bench

import "golang.org/x/sys/unix"

// cpuSeconds returns how long processors have worked for this process; 0 where the system does
// not tell.
func cpuSeconds() float64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
