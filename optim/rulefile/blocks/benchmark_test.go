package blocks

import (
	"testing"

	"diaghess/optim/rulefile"
)

// The benchmarks report elements in a nanosecond. The operands are ordinary numbers in the first
// cache.

func benchmark(b *testing.B, name string, run func()) {
	b.Run(name, func(b *testing.B) {
		for b.Loop() {
			run()
		}
		b.ReportMetric(float64(b.N)*Size/float64(b.Elapsed().Nanoseconds()), "elements/ns")
	})
}

func BenchmarkOperations(b *testing.B) {
	to := make([]float32, Size)
	x := []Operand{{Block: make([]float32, Size)}, {Block: make([]float32, Size)}, {Block: make([]float32, Size)}}
	for _, operand := range x {
		for i := range operand.Block {
			operand.Block[i] = float32(i+1) / Size
		}
	}
	condition := make([]float32, Size)
	Less(condition, x[0], Operand{Number: .5})
	for _, o := range operations {
		operands := make([]Operand, o.operands)
		copy(operands, x)
		for i := range o.conditions {
			operands[i].Block = condition
		}
		benchmark(b, o.op.String(), func() { Apply(o.op, to, operands) })
		if o.op == rulefile.OpMultiply {
			benchmark(b, "multiply by a number", func() { Multiply(to, x[0], Operand{Number: 3}) })
		}
	}
	benchmark(b, "copy", func() { Copy(to, x[0]) })
	benchmark(b, "fill", func() { Copy(to, Operand{Number: 3}) })
	var c Columns
	benchmark(b, "columns", func() { c.Add(0, x[0], Size) })
	benchmark(b, "columns of squares", func() { c.AddSquares(0, x[0], Size) })
	benchmark(b, "fold", func() { c.Fold() })
	benchmark(b, "least", func() { Least(x[0], Size) })
	benchmark(b, "greatest", func() { Greatest(x[0], Size) })
}
