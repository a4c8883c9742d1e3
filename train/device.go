package train

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/gpu/emu"
	"diaghess/gpu/emu/ptx"
	"diaghess/kernels"
)

// Devices returns the names that OpenDevice knows.
func Devices() []string { return []string{"auto", "cpu", "emu", "cuda", "cuda:N"} }

// DeviceOptions say where runs happen.
type DeviceOptions struct {
	// Name is "cpu", "emu" (the kernels' PTX, interpreted and checked for everything
	// but races), "cuda" or "cuda:N" (an NVIDIA GPU, the first or that of a number) or
	// "auto", see ChooseDevice.
	Name string
	// Threads is how many threads each stream of the cpu uses, 0 for all processors.
	Threads int
	// Library names the convolution library of the cpu, "" for the fastest that was
	// built in.
	Library string
	// Math is the arithmetic of convolutions, see Maths; "" for the first.
	Math string
}

// The arithmetic of convolutions.
const (
	// MathFP32 takes products of float32.
	MathFP32 = "fp32"
	// MathTF32 lets a GPU's tensor cores round the factors to 10 bits, for speed.
	MathTF32 = "tf32"
)

// Maths returns the names of the arithmetics.
func Maths() []string { return []string{MathFP32, MathTF32} }

// OpenDevice opens a device. It never opens another than it was asked for.
func OpenDevice(o DeviceOptions) (gpu.Device, error) {
	if o.Name == "auto" {
		o.Name, _ = ChooseDevice()
	}
	if ordinal, ok := cudaOrdinal(o.Name); ok {
		return openCUDA(ordinal, cmp.Or(o.Math, MathFP32))
	}
	if cmp.Or(o.Math, MathFP32) != MathFP32 {
		return nil, fmt.Errorf("the device %s has no arithmetic %s: it takes --device cuda", o.Name, o.Math)
	}
	switch o.Name {
	case "cpu":
		return cpu.New(cpu.Options{Threads: o.Threads, Library: o.Library})
	case "emu":
		return emu.New(emu.Options{Source: kernels.Module, Check: ptx.CheckMemory, Threads: o.Threads, Library: o.Library})
	}
	return nil, fmt.Errorf("unknown device %q (known: %s)", o.Name, strings.Join(Devices(), ", "))
}

// ChooseDevice returns the fastest device that is there, what "auto" stands for, and
// why: a GPU where the program, the driver and cuDNN are for it, else the cpu.
func ChooseDevice() (name, why string) {
	card, err := firstCard()
	if err != nil {
		return "cpu", err.Error()
	}
	return "cuda:0", card
}

// GPU is a card that the driver shows. It may still lack cuDNN.
type GPU struct{ Name, Description string }

// GPUs returns the cards that there are. Its error says why there can be none.
func GPUs() ([]GPU, error) {
	cards, err := cudaCards()
	var all []GPU
	for i, card := range cards {
		all = append(all, GPU{fmt.Sprintf("cuda:%d", i), card})
	}
	return all, err
}

// IsGPU says that a name is that of a GPU.
func IsGPU(name string) bool {
	_, ok := cudaOrdinal(name)
	return ok
}

// cudaOrdinal reads the number of a GPU's name.
func cudaOrdinal(name string) (ordinal int, ok bool) {
	if name == "cuda" {
		return 0, true
	}
	number, ok := strings.CutPrefix(name, "cuda:")
	n, err := strconv.ParseUint(number, 10, 16)
	return int(n), ok && err == nil && number == strconv.FormatUint(n, 10)
}
