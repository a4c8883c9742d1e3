package fused_test

import (
	"slices"
	"testing"
	"time"

	"diaghess/gpu"
	"diaghess/optim"
	"diaghess/optim/rulefile"
)

// BenchmarkUpdate updates a network with the size of the pilot's on one processor, by a rule file
// and by the kernels by hand where there are any. It reports the median time of each over rounds
// in turns. A round is a 49th of the network, so that few are interrupted.
func BenchmarkUpdate(b *testing.B) {
	const chunks, parts = 392, 49
	texts := ruleFiles(b)
	for _, c := range []struct {
		file, spec string
		h          rulefile.Diagonal
	}{
		{"sgd", "sgd", rulefile.NoDiagonal}, {"adamw", "adamw", rulefile.NoDiagonal}, {"sophia", "sophia", rulefile.AnyDiagonal},
		{"pilot", "diaghess", rulefile.AnyDiagonal}, {"lamb", "", rulefile.NoDiagonal}, {"original", "", rulefile.AnyDiagonal},
	} {
		b.Run(c.file, func(b *testing.B) {
			stream := openCPU(b)
			t := newTrial(compiled(b, texts[c.file], nil, c.h), 1, chunks*4096)
			file := t.bind(b, stream, kernelsOf(b, t.program), c.h)
			file.inputs(0, c.h)
			ops := [][]gpu.RecordedOp{file.ops[:len(file.ops)-1]} // without counting the step
			if c.spec != "" {
				rule, err := optim.Parse(c.spec)
				file.check(err)
				hand := t.bind(b, stream, kernelsOf(b, t.program), c.h) // for its memory
				hand.inputs(0, c.h)
				o, err := optim.New(stream, rule, optim.Tensors{Values: hand.buffers.Values, Gradients: hand.buffers.Gradients, Offsets: hand.offsets, Lengths: hand.buffers.Lengths},
					optim.Length{Steps: 1, StepsPerEpoch: 1}, hand.buffers.Curvature, false)
				file.check(err)
				var r gpu.Recorder
				file.check(o.Record(&r))
				ops = append(ops, r.Ops())
			}
			times := make([][]float64, len(ops))
			part := 0
			for b.Loop() {
				for i := range ops {
					start := time.Now()
					for _, op := range ops[i] {
						k := op.Op.(gpu.Kernel)
						if k.Grid().Blocks == chunks {
							k.Host(part*chunks/parts, (part+1)*chunks/parts)
						} else {
							k.Host(0, k.Grid().Blocks)
						}
					}
					times[i] = append(times[i], time.Since(start).Seconds())
				}
				part = (part + 1) % parts
			}
			for i, name := range []string{"ms/file", "ms/hand"}[:len(ops)] {
				slices.Sort(times[i])
				b.ReportMetric(1e3*parts*times[i][len(times[i])/2], name)
			}
		})
	}
}
