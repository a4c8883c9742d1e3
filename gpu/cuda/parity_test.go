//go:build cuda

package cuda_test

import (
	"strings"
	"testing"

	"diaghess/gpu/cuda"
	"diaghess/gpu/cuda/standin"
	"diaghess/gpu/emu/ptx"
	"diaghess/kernels/kerneltest"
)

// TestParity holds every kernel at every size of the table against its contract, from
// the PTX that the program carries through the arguments that cu packs and a captured
// graph.
func TestParity(t *testing.T) {
	cases := map[string][]kerneltest.Case{}
	for _, c := range kerneltest.Cases() {
		entry, _, _ := strings.Cut(c.Name, "/")
		cases[entry] = append(cases[entry], c)
	}
	for entry, cases := range cases {
		t.Run(entry, func(t *testing.T) {
			device, _ := open(t, standin.Options{Check: ptx.CheckMemory}, cuda.Options{})
			stream := newStream(t, device)
			for _, c := range cases {
				if err := c.Run(stream); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
