package exact

import "testing"

// HesScale is its definition, with the Jacobian of each layer written out
// row by row from its backward pass: D by the input is the sum over outputs of the
// squared derivatives times D, and the curvature by a parameter likewise, with the
// inputs of a layer before a normalization of the batch less their means.
func TestHesScale(t *testing.T) {
	eachNetwork(t, func(t *testing.T, m *Network, b Batch) {
		p := m.Forward(b)
		want := make([]float64, len(m.Values))
		d := make([]float64, len(p.Logits))
		for i, q := range p.probability {
			d[i] = (q - q*q) / float64(len(b.Labels))
		}
		for i := len(p.traces) - 1; i >= 0; i-- {
			layer := p.traces[i]
			source := layer
			if l, ok := layer.(*linearTrace); ok && i+1 < len(p.traces) {
				if e, ok := p.traces[i+1].(*epilogueTrace); ok && e.coupled {
					source = &linearTrace{l.linear, withoutMeans(l.x, l.in)}
				}
			}
			var din []float64
			for j, v := range d {
				unit := unitVector(len(d), j)
				row := make([]float64, len(m.Values))
				source.gradient(unit, row)
				for k, derivative := range row {
					want[k] += derivative * derivative * v
				}
				derivatives := layer.backward(unit)
				if din == nil {
					din = make([]float64, len(derivatives))
				}
				for k, derivative := range derivatives {
					din[k] += derivative * derivative * v
				}
			}
			d = din
		}
		compare(t, "diagonal", p.HesScale(), want, 1e-12)
	})
}

// HesScale is exact for the last layer's kernel and bias, and no entry is
// negative.
func TestHesScaleOfLastLayer(t *testing.T) {
	eachNetwork(t, func(t *testing.T, m *Network, b Batch) {
		p := m.Forward(b)
		diagonal, exact := p.HesScale(), must(p.GaussNewtonDiagonal(t.Context()))(t)
		for i, v := range diagonal {
			if !(v >= 0) {
				t.Fatalf("element %d is %g", i, v)
			}
		}
		for i := len(p.traces) - 1; ; i-- {
			if e, ok := p.traces[i].(*epilogueTrace); ok && e.coupled {
				break // a normalization comes last
			}
			for _, tensor := range m.stages[i].tensors() {
				compare(t, tensor.Name, tensor.Of(diagonal), tensor.Of(exact), 1e-13)
			}
			if _, ok := p.traces[i].(*linearTrace); ok {
				break
			}
		}
	})
}
