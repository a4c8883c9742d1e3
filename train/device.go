package train

import (
	"fmt"
	"strings"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/gpu/emu"
	"diaghess/gpu/emu/ptx"
	"diaghess/kernels"
)

// Devices returns the names that OpenDevice knows.
func Devices() []string { return []string{"auto", "cpu", "emu"} }

// OpenDevice opens a device by its name: "cpu", "emu" (the kernels' PTX,
// interpreted and checked for everything but races), or "auto", the fastest that
// is there: today the cpu. threads is how many threads each stream uses, 0 for
// all processors; library names the convolution library of the cpu, "" for the
// fastest that was built in.
func OpenDevice(name string, threads int, library string) (gpu.Device, error) {
	switch name {
	case "auto", "cpu":
		return cpu.New(cpu.Options{Threads: threads, Library: library})
	case "emu":
		return emu.New(emu.Options{Source: kernels.Module, Check: ptx.CheckMemory, Threads: threads, Library: library})
	}
	return nil, fmt.Errorf("unknown device %q (known: %s)", name, strings.Join(Devices(), ", "))
}
