//go:build cuda

package cuda

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"gorgonia.org/cu"

	"diaghess/gpu/cuda/shim"
	"diaghess/gpu/cuda/supplement"
)

// Card is a GPU that the driver shows.
type Card struct {
	Name         string
	Major, Minor int // compute capability
	// Multiprocessors is their number; cuDNN's choice of algorithms may depend on it.
	Multiprocessors int
	Memory          int64 // bytes
}

// Kind names the model, see [gpu.Card]: of a MIG instance the driver's name tells its size.
func (c Card) Kind() string {
	return fmt.Sprintf("%s, compute capability %d.%d, %d multiprocessors", c.Name, c.Major, c.Minor, c.Multiprocessors)
}

func (c Card) String() string {
	return fmt.Sprintf("%s, compute capability %d.%d, %.1f GB", c.Name, c.Major, c.Minor, float64(c.Memory)/1e9)
}

// Count returns how many GPUs the driver shows. It fails without a driver or a card, but
// needs no cuDNN.
func Count() (int, error) {
	if err := openDriver(); err != nil {
		return 0, err
	}
	n, err := cu.NumDevices()
	if err != nil {
		return 0, supplement.Wrap("cuDeviceGetCount", err)
	}
	if n == 0 {
		return 0, errors.New(shim.Advice(shim.NoDevice))
	}
	return n, nil
}

// Cards returns the GPUs that the driver shows, by ordinal. It fails as [Count] does.
func Cards() ([]Card, error) {
	n, err := Count()
	if err != nil {
		return nil, err
	}
	cards := make([]Card, n)
	for i := range cards {
		if _, cards[i], err = findCard(i); err != nil {
			return nil, err
		}
	}
	return cards, nil
}

// openDriver opens the driver, which reads its settings then.
func openDriver() error {
	// As many queues of the hardware as there can be: with the default, 8, streams wait
	// for each other.
	const connections = "CUDA_DEVICE_MAX_CONNECTIONS"
	if os.Getenv(connections) == "" {
		if err := os.Setenv(connections, "32"); err != nil {
			return err
		}
	}
	return shim.Driver()
}

// findCard returns the card of an ordinal. It needs no context.
func findCard(ordinal int) (d cu.Device, c Card, err error) {
	n, err := cu.NumDevices()
	if err != nil {
		return d, c, supplement.Wrap("cuDeviceGetCount", err)
	}
	if ordinal < 0 || ordinal >= n {
		return d, c, fmt.Errorf("there is no card of this number: the driver shows %d%s; see diaghess devices", n, shim.Visible())
	}
	if d, err = cu.GetDevice(ordinal); err != nil {
		return d, c, supplement.Wrap("cuDeviceGet", err)
	}
	if c.Name, err = d.Name(); err != nil {
		return d, c, supplement.Wrap("cuDeviceGetName", err)
	}
	if c.Major, err = d.Attribute(cu.ComputeCapabilityMajor); err != nil {
		return d, c, supplement.Wrap("cuDeviceGetAttribute", err)
	}
	if c.Minor, err = d.Attribute(cu.ComputeCapabilityMinor); err != nil {
		return d, c, supplement.Wrap("cuDeviceGetAttribute", err)
	}
	if c.Multiprocessors, err = d.Attribute(cu.MultiprocessorCount); err != nil {
		return d, c, supplement.Wrap("cuDeviceGetAttribute", err)
	}
	c.Memory, err = d.TotalMem()
	return d, c, supplement.Wrap("cuDeviceTotalMem", err)
}

// Driver names the driver's version, where the system tells it, and the newest CUDA
// that it serves.
func Driver() string {
	version := cu.Version()
	text := fmt.Sprintf("CUDA %d.%d", version/1000, version%1000/10)
	if module, err := os.ReadFile("/sys/module/nvidia/version"); err == nil {
		text = fmt.Sprintf("driver %s (%s)", strings.TrimSpace(string(module)), text)
	}
	return text
}

// cString returns the text before the first zero byte.
func cString(b []byte) string {
	text, _, _ := bytes.Cut(b, []byte{0})
	return strings.TrimSpace(string(text))
}
