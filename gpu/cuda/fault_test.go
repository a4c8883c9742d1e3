//go:build cuda

package cuda_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"diaghess/gpu/cuda"
	"diaghess/gpu/cuda/standin"
	"diaghess/kernels"
)

// patience is how long a small run may take before it counts as hanging: some hundred
// times what it takes.
const patience = 20 * time.Second

// openAndRun opens a device, does a small run and closes the device.
func openAndRun() (values []float32, err error) {
	device, err := cuda.New(cuda.Options{Source: kernels.Module})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, device.Close()) }()
	return smallRun(device, 1, 1)
}

// survivable says that a run goes on where a call fails: a version is only told, a
// captured graph is no longer needed.
func survivable(call string) bool {
	return call == "cuDriverGetVersion" || call == "cuGraphDestroy"
}

// abandon forgets the descriptor that dnn loses where the call that fills it fails.
func abandon(m *standin.Machine, call string) {
	for words, kind := range map[string]string{"SetTensor": "tensor descriptor", "SetFilter": "filter descriptor", "SetConvolution": "convolution descriptor"} {
		if strings.HasPrefix(call, "cudnn"+words) && m.Live()[kind] == 1 {
			m.Abandon(kind)
		}
	}
}

// repeated tells which of the calls only do for one layer what others did for another:
// those to cuDNN's graph API but for the first sixty and last twenty of each function.
func repeated(calls []string) []bool {
	total, seen := map[string]int{}, map[string]int{}
	for _, call := range calls {
		total[call]++
	}
	again := make([]bool, len(calls))
	for i, call := range calls {
		again[i] = strings.HasPrefix(call, "cudnnBackend") && seen[call] >= 60 && seen[call] < total[call]-20
		seen[call]++
	}
	return again
}

// TestEachCallFails makes each call of a small run fail in turn, from opening the device
// to closing it, but for those that are repeated. Whatever fails, the run ends with an error of that number, in time,
// without a panic and without anything left over.
func TestEachCallFails(t *testing.T) {
	var runs [2][]string
	for i := range runs {
		t.Run(fmt.Sprint("none ", i), func(t *testing.T) {
			m := standin.Start(t, standin.Options{})
			_, err := openAndRun()
			check(t, err)
			runs[i] = m.Calls()
		})
	}
	if !slices.Equal(runs[0], runs[1]) {
		t.Fatal("the same run makes other calls")
	}
	again := repeated(runs[0])
	t.Logf("%d calls", len(runs[0]))
	for i, call := range runs[0] {
		if again[i] {
			continue
		}
		t.Run(fmt.Sprintf("%d %s", i+1, call), func(t *testing.T) {
			m := standin.Start(t, standin.Options{Fault: standin.Fault{Call: i + 1}})
			ended := make(chan error, 1)
			go func() {
				_, err := openAndRun()
				ended <- err
			}()
			select {
			case err := <-ended:
				if !survivable(call) {
					code := "error 999"
					if strings.HasPrefix(call, "cudnn") {
						code = "error 4000"
					}
					mentions(t, err, code)
				}
			case <-time.After(patience):
				t.Fatal("hangs")
			}
			abandon(m, call)
		})
	}
}
