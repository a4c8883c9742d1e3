package layers

import (
	"fmt"

	"diaghess/gpu"
)

// On the host a filter is HWIO: Parameter.Shape, records and tests. On the device it
// lies as the device's convolutions take it. What copies parameters, their gradients or
// anything else with their layout between the two goes through this file; what works
// on single elements, as updates do, need not care.

// Upload copies a parameter's elements from the host into a tensor of its layout on
// the device: Value, Gradient, or its part of another vector.
func (p *Parameter) Upload(s gpu.Stream, to gpu.Slice[float32], host []float32) error {
	arranged := make([]float32, len(host))
	toDevice(p, arranged, host)
	return gpu.Upload(s, to, arranged)
}

// Download is the inverse of Upload.
func (p *Parameter) Download(s gpu.Stream, host []float32, from gpu.Slice[float32]) error {
	arranged := make([]float32, len(host))
	if err := gpu.Download(s, arranged, from); err != nil {
		return err
	}
	toHost(p, host, arranged)
	return nil
}

// Upload copies vectors with the layout of Values, one after the other, from the host.
func (n *Network) Upload(to gpu.Slice[float32], host []float32) error {
	return gpu.Upload(n.Stream, to, n.arranged(host, toDevice))
}

// Download copies vectors with the layout of Values, one after the other, to the host.
func (n *Network) Download(host []float32, from gpu.Slice[float32]) error {
	raw := make([]float32, len(host))
	if err := gpu.Download(n.Stream, raw, from); err != nil {
		return err
	}
	copy(host, n.arranged(raw, toHost))
	return nil
}

// arrange copies a parameter's elements from one order to the other.
type arrange func(p *Parameter, to, from []float32)

func toDevice(p *Parameter, to, from []float32) { p.layout.FromHWIO(to, from, p.outputs()) }
func toHost(p *Parameter, to, from []float32)   { p.layout.ToHWIO(to, from, p.outputs()) }

// outputs is the last extent of a filter.
func (p *Parameter) outputs() int { return p.Shape[len(p.Shape)-1] }

// arranged returns vectors in the other order.
func (n *Network) arranged(vectors []float32, arrange arrange) []float32 {
	size := n.Values.Len()
	if size > 0 && len(vectors)%size != 0 {
		panic(fmt.Sprintf("layers: %d elements are no vectors of %d", len(vectors), size))
	}
	to := make([]float32, len(vectors))
	copy(to, vectors) // the gaps between the tensors too
	for first := 0; first < len(vectors); first += size {
		for _, p := range n.Parameters {
			lo, hi := first+p.Offset, first+p.Offset+p.Elements()
			arrange(p, to[lo:hi], vectors[lo:hi])
		}
	}
	return to
}
