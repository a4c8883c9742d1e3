//go:build cuda

package golden

import (
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cuda"
	"diaghess/gpu/cuda/standin"
	"diaghess/gpu/emu/ptx"
	"diaghess/kernels"
)

// standIns are the production code for GPUs over a driver and a cuDNN that need no card.
func standIns() []machine {
	return []machine{{"cuda on a stand-in", func(t *testing.T, threads int) (gpu.Device, error) {
		standin.Start(t, standin.Options{Check: ptx.CheckMemory, Threads: threads, Seed: uint64(threads)})
		return cuda.New(cuda.Options{Source: kernels.Module})
	}}}
}
