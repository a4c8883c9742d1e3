//go:build onednn

package cpu

import (
	"fmt"

	"diaghess/gpu"
	"diaghess/gpu/cpu/onednn"
)

func libraries() []library { return []library{onednnLibrary{}, gonumLibrary{}} }

// onednnLibrary takes convolutions and products from oneDNN, one thread a call.
type onednnLibrary struct{}

func (onednnLibrary) name() string    { return "onednn" }
func (onednnLibrary) version() string { return "oneDNN " + onednn.Version() }

// slicePictures is how many pictures a call works on at most: package onednn
// says why.
const slicePictures = 16

// sliceOf is the part of a convolution that one call computes: the batch in
// equal slices, as large as slicePictures and equality allow.
func sliceOf(s gpu.ConvolutionShape) onednn.Shape {
	pictures := min(slicePictures, s.Batch)
	for s.Batch%pictures != 0 {
		pictures--
	}
	return onednn.Shape{Batch: pictures, Height: s.Height, Width: s.Width, In: s.In, Out: s.Out, Kernel: s.Kernel}
}

func (onednnLibrary) algorithms(s gpu.ConvolutionShape) (names [directions]string, err error) {
	if isDense(s) {
		return [directions]string{"oneDNN sgemm", "oneDNN sgemm", "oneDNN sgemm"}, nil
	}
	w, err := onednn.NewWorker()
	if err != nil {
		return names, err
	}
	defer w.Close()
	c, err := w.NewConvolution(sliceOf(s))
	if err != nil {
		return names, err
	}
	for d, pass := range onednnPasses {
		names[d] = fmt.Sprintf("oneDNN %s %s", onednn.Version(), c.Algorithm(pass))
	}
	return names, nil
}

// onednnPasses are the library's names of the directions.
var onednnPasses = [directions]onednn.Pass{
	gpu.Forward: onednn.Forward, gpu.BackwardData: onednn.BackwardData, gpu.BackwardFilter: onednn.BackwardFilter,
}

func (onednnLibrary) open(workers int) (session, error) {
	o := &onednnSession{shapes: map[onednn.Shape][]*onednn.Convolution{}}
	for range workers {
		w, err := onednn.NewWorker()
		if err != nil {
			o.close()
			return nil, err
		}
		o.workers = append(o.workers, w)
	}
	return o, nil
}

// onednnSession holds a library worker for each worker of a stream, and the
// convolutions of each, which the passes of a program share.
type onednnSession struct {
	workers []*onednn.Worker
	shapes  map[onednn.Shape][]*onednn.Convolution // one a worker
}

func (o *onednnSession) close() {
	for _, w := range o.workers {
		w.Close()
	}
	o.workers = nil
}

// convolutions returns the workers' convolutions of a slice.
func (o *onednnSession) convolutions(slice onednn.Shape) ([]*onednn.Convolution, error) {
	if made, ok := o.shapes[slice]; ok {
		return made, nil
	}
	var made []*onednn.Convolution
	for _, w := range o.workers {
		c, err := w.NewConvolution(slice)
		if err != nil {
			return nil, err
		}
		made = append(made, c)
	}
	o.shapes[slice] = made
	return made, nil
}

func (o *onednnSession) compile(s gpu.ConvolutionShape, d gpu.Direction, x, w, y []float32) ([]task, error) {
	if isDense(s) {
		return []task{&denseTask{shape: s, direction: d, x: x, w: w, y: y, gemm: onednn.Gemm}}, nil
	}
	slice := sliceOf(s)
	made, err := o.convolutions(slice)
	if err != nil {
		return nil, err
	}
	slices := s.Batch / slice.Batch
	packed := made[0].PackedLen(onednnPasses[d])
	t := &sliceTask{convolutions: made, direction: d, slices: slices, x: x, y: y}
	if d == gpu.BackwardFilter {
		// The slices' gradients are added in the library's order of memory.
		t.filters = make([]float32, slices*packed)
		sum := make([]float32, packed)
		return []task{
			t,
			&sumTask{partial: t.filters, slices: slices, sum: sum},
			&unpackTask{convolution: made[0], packed: sum, w: w},
		}, nil
	}
	t.filters = make([]float32, packed)
	return []task{&packTask{convolution: made[0], direction: d, w: w, packed: t.filters}, t}, nil
}

// sliceTask runs a pass on slices of the batch: a part is one slice.
type sliceTask struct {
	convolutions []*onednn.Convolution // one a worker
	direction    gpu.Direction
	slices       int
	x, y         []float32
	filters      []float32 // packed: of all slices, or with BackwardFilter one each
}

func (t *sliceTask) parts() int { return t.slices }

func (t *sliceTask) run(worker, lo, hi int) error {
	c := t.convolutions[worker]
	for slice := lo; slice < hi; slice++ {
		x, y := part(t.x, slice, t.slices), part(t.y, slice, t.slices)
		var err error
		switch t.direction {
		case gpu.Forward:
			err = c.Forward(x, t.filters, y)
		case gpu.BackwardData:
			err = c.BackwardData(y, t.filters, x)
		case gpu.BackwardFilter:
			err = c.BackwardFilter(x, y, part(t.filters, slice, t.slices))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// part returns part i of n equal parts.
func part(s []float32, i, n int) []float32 {
	size := len(s) / n
	return s[i*size : (i+1)*size]
}

// packTask brings a filter into the order that a direction wants.
type packTask struct {
	convolution *onednn.Convolution
	direction   gpu.Direction
	w, packed   []float32
}

func (t *packTask) parts() int { return 1 }

func (t *packTask) run(_, _, _ int) error {
	return t.convolution.Pack(onednnPasses[t.direction], t.w, t.packed)
}

// unpackTask brings a filter's gradient back.
type unpackTask struct {
	convolution *onednn.Convolution
	packed, w   []float32
}

func (t *unpackTask) parts() int { return 1 }

func (t *unpackTask) run(_, _, _ int) error { return t.convolution.Unpack(t.packed, t.w) }
