package train

import (
	"fmt"

	"diaghess/gpu"
)

// What a profiler records of a run: ProfileSteps steps after the first ProfileAfter, when
// all is loaded and warm, or as many as are left of the epoch then.
const (
	ProfileAfter = 20
	ProfileSteps = 5
)

// TracerOf returns the stream as one that a profiler can watch.
func TracerOf(stream gpu.Stream) (gpu.Tracer, error) {
	tracer, ok := stream.(gpu.Tracer)
	if !ok {
		return nil, fmt.Errorf("nothing for a profiler to record on the device %s: --profile takes --device cuda", stream.Device().Name())
	}
	return tracer, nil
}
