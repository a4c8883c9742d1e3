//go:build !cuda

package devices

import (
	"errors"
	"fmt"

	"diaghess/gpu"
)

// errNoCUDA says how to get the device cuda.
var errNoCUDA = errors.New("this program is without the device cuda, which make build-cuda and the release cuda have")

func openCUDA(ordinal int, _ string) (gpu.Device, error) {
	return nil, fmt.Errorf("open cuda:%d: %w", ordinal, errNoCUDA)
}

func cudaCount() (int, error) { return 0, errNoCUDA }

func cudaCards() ([]GPU, error) { return nil, errNoCUDA }
