//go:build cuda

package devices

import (
	"fmt"
	"os"

	"diaghess/gpu"
	"diaghess/gpu/cuda"
	"diaghess/kernels"
)

// openCUDA opens a GPU. CUDA_LAUNCH_BLOCKING=1, which the driver knows too, makes it name
// the op that fails.
func openCUDA(ordinal int, math string) (gpu.Device, error) {
	return cuda.New(cuda.Options{
		Ordinal: ordinal, Math: math, Source: kernels.Module, First: (&kernels.Advance{}).Entry(),
		Blocking: os.Getenv("CUDA_LAUNCH_BLOCKING") == "1",
	})
}

// cudaCount returns the number of GPUs.
func cudaCount() (int, error) { return cuda.Count() }

// cudaCards describes the GPUs, by ordinal.
func cudaCards() ([]GPU, error) {
	cards, err := cuda.Cards()
	var all []GPU
	for i, card := range cards {
		all = append(all, GPU{cudaName(i), fmt.Sprintf("%s, %s", card, cuda.Driver()), card.Kind()})
	}
	return all, err
}
