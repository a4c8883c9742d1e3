package layers

import (
	"fmt"

	"diaghess/gpu"
)

// On the host a filter is HWIO: Parameter.Shape, records and tests. On the device it
// lies as the device's convolutions take it. What copies parameters, their gradients or
// anything else with their layout between the two goes through this file; what works
// on single elements, as updates do, need not care.

// Upload copies a parameter's elements from the host to a tensor on the device: Value,
// Gradient, or the parameter's part of another buffer (see In). host is in the order of
// Shape. The error is that of the copy.
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

// Upload copies buffers with the layout of Values, one after the other, from the host. The
// host has filters in HWIO. It panics on another length; the error is that of the copy.
func (n *Network) Upload(to gpu.Slice[float32], host []float32) error {
	return gpu.Upload(n.Stream, to, n.arranged(host, toDevice))
}

// Download is the inverse of Upload.
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

// arranged returns arenas in the other order.
func (n *Network) arranged(arenas []float32, arrange arrange) []float32 {
	size := n.Values.Len()
	if size > 0 && len(arenas)%size != 0 {
		panic(fmt.Sprintf("layers: %d elements are no arenas of %d", len(arenas), size))
	}
	to := make([]float32, len(arenas))
	copy(to, arenas) // the gaps between the tensors too
	for first := 0; first < len(arenas); first += size {
		for _, p := range n.Parameters {
			lo, hi := first+p.Offset, first+p.Offset+p.Elements()
			arrange(p, to[lo:hi], arenas[lo:hi])
		}
	}
	return to
}
