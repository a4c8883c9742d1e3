package bench

import (
	"context"

	"diaghess/gpu"
	"diaghess/kernels"
)

// CopyBandwidth returns how fast a stream reads one buffer and writes another: the bytes
// read plus the bytes written, per second. It is the median over blocks; a block replays a
// small kernel the given number of times. The buffers should be larger than the caches.
func CopyBandwidth(ctx context.Context, stream gpu.Stream, bufferBytes, replays, blocks int) (float64, error) {
	elements := bufferBytes / 4
	a := gpu.NewArena(stream)
	square := &kernels.Square{X: gpu.Reserve[float32](a, elements), Out: gpu.Reserve[float32](a, elements), Elements: int32(elements)}
	if err := a.Allocate(); err != nil {
		return 0, err
	}
	var r gpu.Recorder
	r.Record(square)
	program, err := stream.Compile(r.Ops())
	if err != nil {
		return 0, err
	}
	durations, err := gpu.Time(ctx, warmUp+blocks, gpu.Replays(stream, program, replays))
	if err != nil {
		return 0, err
	}
	bytes := float64(replays) * float64(square.Cost().Bytes)
	return bytes / gpu.Median(durations[0][warmUp:]).Seconds(), nil
}
