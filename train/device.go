package train

import (
	"fmt"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
)

// Devices returns the names that OpenDevice knows.
func Devices() []string { return []string{"auto", "cpu"} }

// OpenDevice opens a device by its name. "auto" is the fastest that is there:
// today the cpu. threads is how many threads each stream of a cpu uses, 0 for
// all processors; library names its convolution library, "" for the fastest
// that was built in.
func OpenDevice(name string, threads int, library string) (gpu.Device, error) {
	switch name {
	case "auto", "cpu":
		return cpu.New(cpu.Options{Threads: threads, Library: library})
	}
	return nil, fmt.Errorf("unknown device %q (known: %v)", name, Devices())
}
