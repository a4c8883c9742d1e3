package layers_test

import (
	"fmt"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/kernels"
	"diaghess/layers"
	"diaghess/optim"
)

// BenchmarkStep is a training step of the pilot's network on a batch of 64:
// masks, forward, loss, backward, AdamW's update.
func BenchmarkStep(b *testing.B) {
	const size = 64
	for _, library := range cpu.Libraries() {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/threads=%d", library, threads), func(b *testing.B) {
				chain := layers.PilotCNN().Layers(10)
				tr := newTrainer(b, cpu.Options{Threads: threads, Library: library}, cifar, chain, size, 0)
				tr.draw(1, chain, 0)
				rule, err := optim.Parse("adamw")
				check(b, err)
				length := optim.Length{Steps: 1 << 16, StepsPerEpoch: 782}
				optimizer, err := optim.New(tr.network.Stream, rule, optim.TensorsOf(tr.network), length, gpu.Slice[float32]{}, false)
				check(b, err)
				program := tr.compile(func(r *gpu.Recorder) {
					tr.batch.DrawMasks(r, maskSeed, optimizer.State)
					tr.batch.Forward(r, true)
					tr.batch.Loss(r, 0, true)
					tr.batch.Backward(r, tr.network.Gradients)
					check(b, optimizer.Record(r))
					r.Record(&kernels.Advance{State: optimizer.State, Rows: size})
				})
				tr.run(program)
				for b.Loop() {
					tr.run(program)
				}
				b.ReportMetric(float64(size*b.N)/b.Elapsed().Seconds(), "images/s")
			})
		}
	}
}
