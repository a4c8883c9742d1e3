// Package devices opens a device by its name. It is the one package that knows all of
// them. It imports the sub-packages of gpu, package kernels for the PTX that emu and cuda
// run, and nothing else of the project.
package devices

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/gpu/emu"
	"diaghess/gpu/emu/ptx"
	"diaghess/kernels"
	"diaghess/nearest"
)

// Names returns the names that Open knows.
func Names() []string { return []string{"auto", "cpu", "emu", "cuda", "cuda:N"} }

// Options say which device to open.
type Options struct {
	// Name is "cpu", "emu" (the kernels' PTX, interpreted and checked for everything
	// but races), "cuda" or "cuda:N" (an NVIDIA GPU, the first or that of a number) or
	// "auto", see Choose. All divides names that stand for several.
	Name string
	// Threads is how many threads each stream of the cpu uses, 0 for all processors.
	Threads int
	// Library names the convolution library of the cpu, "" for the fastest that was
	// built in.
	Library string
	// Math is the arithmetic of convolutions, see gpu.Maths; "" for gpu.MathFP32.
	Math string
}

// Check says what is wrong with options on any machine.
func Check(o Options) error {
	names := strings.Split(o.Name, ",")
	for i, name := range names {
		_, card := cudaOrdinal(name)
		switch math := cmp.Or(o.Math, gpu.MathFP32); {
		case len(names) > 1 && (!card || name == "cuda" || slices.Contains(names[:i], name)):
			return fmt.Errorf("device %q: a list has different cards and nothing else, such as cuda:0,cuda:2", o.Name)
		case !card && !slices.Contains([]string{"auto", "cpu", "emu"}, name):
			return nearest.Unknown("device", name, Names())
		case !card && name != "auto" && math != gpu.MathFP32:
			return fmt.Errorf("the device %s has no arithmetic %s: it takes --device cuda", name, math)
		}
	}
	return nil
}

// Open opens a device. It never opens another than it was asked for.
func Open(o Options) (gpu.Device, error) {
	if err := Check(o); err != nil {
		return nil, err
	}
	if o.Name == "auto" {
		var err error
		if o.Name, _, err = Choose(o); err != nil {
			return nil, err
		}
	}
	math := cmp.Or(o.Math, gpu.MathFP32)
	if ordinal, ok := cudaOrdinal(o.Name); ok {
		return openCUDA(ordinal, math)
	}
	switch o.Name {
	case "cpu":
		return cpu.New(cpu.Options{Threads: o.Threads, Library: o.Library})
	case "emu":
		return emu.New(emu.Options{Source: kernels.Module, Check: ptx.CheckMemory, Threads: o.Threads, Library: o.Library})
	}
	return nil, fmt.Errorf("device %s: only a study or a tuning takes several: name one", o.Name)
}

// Choose returns what "auto" stands for, the first GPU that works with the options, else
// the cpu, and why: what is wrong with the first GPU, or what it is.
func Choose(o Options) (name, why string, err error) {
	gpus, err := GPUs()
	if err != nil {
		why = err.Error()
	}
	for _, g := range gpus {
		o.Name = g.Name
		err := try(o)
		if err == nil {
			return g.Name, cmp.Or(why, g.Description), nil
		}
		var known interface{ Advice() string } // an error's cause in few words
		reason := strings.TrimPrefix(err.Error(), "open ")
		if errors.As(err, &known) && known.Advice() != "" {
			reason = g.Name + ": " + known.Advice()
		}
		why = cmp.Or(why, reason)
	}
	o.Name = "cpu"
	return o.Name, why, try(o)
}

// try has a device do a little of what a run has it do.
func try(o Options) error {
	device, err := Open(o)
	if err != nil {
		return err
	}
	err = gpu.WithStream(device, func(stream gpu.Stream) error {
		_, err := stream.Convolution(gpu.ConvolutionShape{Batch: 1, Height: 8, Width: 8, In: 3, Out: 4, Kernel: 3})
		return err
	})
	return cmp.Or(err, device.Close())
}

// GPU is a card that the driver shows. It may still lack cuDNN.
type GPU struct {
	Name, Description string
	Kind              string // see gpu.Card
}

// GPUs returns the cards of this machine. Its error says why there can be none.
func GPUs() ([]GPU, error) { return cudaCards() }

// All returns the names of the devices that a study is spread over. "cuda" stands for all
// cards that the driver shows, and a list such as "cuda:0,cuda:2" for those of it. Any other
// name is that of one device. An error says that there is no such card.
func All(name string) ([]string, error) {
	if err := Check(Options{Name: name}); err != nil {
		return nil, err
	}
	names := strings.Split(name, ",")
	if name != "cuda" && len(names) == 1 {
		return names, nil
	}
	count, err := cudaCount()
	if err != nil {
		return nil, err
	}
	if name == "cuda" {
		names = nil
		for i := range count {
			names = append(names, cudaName(i))
		}
	}
	for _, name := range names {
		if ordinal, _ := cudaOrdinal(name); ordinal >= count {
			return nil, fmt.Errorf("device %s: the driver shows %d cards, the last of them %s; see diaghess devices", name, count, cudaName(count-1))
		}
	}
	return names, nil
}

// OfKind returns the name of a card of a kind: the given one if it is, else the first. Where
// there is none it is the given one.
func OfKind(name, kind string) string {
	cards, _ := GPUs() // that there is none is said when it is opened
	of := func(g GPU) bool { return g.Kind == kind }
	first := slices.IndexFunc(cards, of)
	if first < 0 || slices.ContainsFunc(cards, func(g GPU) bool { return g.Name == name && of(g) }) {
		return name
	}
	return cards[first].Name
}

// IsGPU says that a name is that of a GPU.
func IsGPU(name string) bool {
	_, ok := cudaOrdinal(name)
	return ok
}

// cudaName is the name of the GPU of a number.
func cudaName(ordinal int) string { return fmt.Sprintf("cuda:%d", ordinal) }

// cudaOrdinal reads the number of a GPU's name.
func cudaOrdinal(name string) (ordinal int, ok bool) {
	if name == "cuda" {
		return 0, true
	}
	number, ok := strings.CutPrefix(name, "cuda:")
	n, err := strconv.ParseUint(number, 10, 16)
	return int(n), ok && err == nil && number == strconv.FormatUint(n, 10)
}
