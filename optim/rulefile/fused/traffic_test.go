package fused_test

import (
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/emu/ptx"
	"diaghess/kernels"
	"diaghess/optim/rulefile"
)

// Of a large tensor the kernels ask for at most a tenth more bytes than was planned. The rest
// is what each thread reads of the chunk's row and of the numbers that elements share, for 16
// elements, and partial results. The emulator counts it for
// each thread, though it is one transfer for a warp. LAMB with debias reads most, in both of its
// passes: 72 bytes a thread, or 4.5 an element.
func TestTraffic(t *testing.T) {
	const elements = 20 * 4096
	stream := openEmulator(t, ptx.CheckNone, 0)
	for _, text := range ruleFiles(t) {
		variants(t, text, func(name string, p *rulefile.Program, h rulefile.Diagonal) {
			c := newTrial(p, 1, elements)
			b := c.bind(t, stream, kernelsOf(t, p), h)
			b.inputs(0, h)
			bytes := func(program gpu.Program) float64 {
				traffic, err := program.(gpu.Counter).Count()
				if err != nil {
					t.Fatal(err)
				}
				var total int64
				for i, op := range program.Ops() {
					if _, counts := op.Op.(*kernels.Advance); !counts {
						total += traffic[i].Bytes
					}
				}
				return float64(total) / elements
			}
			got := bytes(b.program)
			t.Logf("%-24s planned %2d bytes an element, counted %.2f, ratio %.3f", name, p.Bytes, got, got/float64(p.Bytes))
			most := 1.1 * float64(p.Bytes)
			if name == "lamb map[debias:true]" {
				most = 1.12 * float64(p.Bytes)
			}
			if got > most || got < float64(p.Bytes) {
				t.Errorf("%s: the kernels ask for %.2f bytes an element, want at most %.2f", name, got, most)
			}
			if p.Evaluation != nil {
				planned := 4 * float64(len(p.Evaluation.Reads)+1)
				if got := bytes(b.eval); got > 1.1*planned || got < planned {
					t.Errorf("%s: the evaluation's weights take %.2f bytes an element, want at most 1.1 of %g", name, got, planned)
				}
			}
		})
	}
}
