package cpu

import (
	"diaghess/gpu"
	"diaghess/gpu/cpu/native"
	"diaghess/gpu/cpu/slab"
	"diaghess/gpu/vector"
)

func nativeLibraries(level vector.Level) []library {
	if level == vector.None {
		return nil
	}
	return []library{nativeLibrary{level}}
}

// nativeLibrary takes convolutions from package native. Its results do not depend
// on the level.
type nativeLibrary struct{ level vector.Level }

func (nativeLibrary) name() string { return nativeName }

func (l nativeLibrary) version() string { return "native Go assembly, " + l.level.String() }

func (l nativeLibrary) algorithms(s gpu.ConvolutionShape) [directions]string {
	switch {
	case isDense(s):
		return [directions]string{"native product", "native product", "native product"}
	case native.CanWinograd(nativeShape(s)):
		return [directions]string{
			gpu.Forward: "native winograd 4x4,3x3", gpu.BackwardData: "native winograd 4x4,3x3", gpu.BackwardFilter: "native winograd 3x3,4x4",
		}
	}
	return [directions]string{"native direct", "native direct", "native direct"}
}

func nativeShape(s gpu.ConvolutionShape) native.Shape {
	return native.Shape{Height: s.Height, Width: s.Width, In: s.In, Out: s.Out, Kernel: s.Kernel}
}

func (l nativeLibrary) open(workers int) session {
	n := &nativeSession{level: l.level}
	for range workers {
		n.workers = append(n.workers, native.NewWorker())
	}
	return n
}

type nativeSession struct {
	level   vector.Level
	workers []*native.Worker
	memory  slab.Slab // filters in other forms and partial sums
}

func (n *nativeSession) taken() int { return n.memory.Taken }

func (n *nativeSession) compile(s gpu.ConvolutionShape, d gpu.Direction, x, w, y []float32) []task {
	batch, shape := s.Batch, nativeShape(s)
	if isDense(s) {
		if native.CanDense(s.In, s.Out) {
			return n.dense(s, d, x, w, y)
		}
		// A convolution over one picture whose pixels are the batch.
		batch, shape.Height = 1, s.Batch
	}
	switch d {
	case gpu.Forward:
		return n.convolve(shape, batch, x, w, y)
	case gpu.BackwardData:
		// The convolution of the output's gradient with the filter turned by 180
		// degrees, channels swapped.
		turned, back := n.memory.Floats(len(w)), shape
		back.In, back.Out = shape.Out, shape.In
		turn := n.task(s.Kernel*s.Kernel, func(_ *native.Worker, tap int) { native.Turn(shape, tap, w, turned) })
		return append([]task{turn}, n.convolve(back, batch, y, turned, x)...)
	}
	return n.filter(shape, batch, x, w, y)
}

// convolve is a forward convolution.
func (n *nativeSession) convolve(s native.Shape, batch int, x, w, y []float32) []task {
	if native.CanWinograd(s) {
		c := native.NewWinograd(n.level, s, batch)
		packed := n.memory.Floats(c.PackedLen())
		const inputs = 8
		return []task{
			n.task(s.In/inputs, func(worker *native.Worker, i int) { c.Pack(worker, i*inputs, (i+1)*inputs, w, packed) }),
			n.task(c.Blocks(), func(worker *native.Worker, i int) { c.Run(worker, i, x, packed, y) }),
		}
	}
	c := native.NewDirect(n.level, s)
	var tasks []task
	if size := c.PackedLen(); size > 0 {
		packed, filter := n.memory.Floats(size), w
		tasks = append(tasks, n.task(1, func(*native.Worker, int) { c.Pack(filter, packed) }))
		w = packed
	}
	in, out := s.Height*s.Width*s.In, s.Height*s.Width*s.Out
	return append(tasks, n.task(batch, func(worker *native.Worker, i int) {
		c.Run(worker, x[i*in:(i+1)*in], w, y[i*out:(i+1)*out])
	}))
}

// filter is the filter's gradient w.
func (n *nativeSession) filter(s native.Shape, batch int, x, w, y []float32) []task {
	if native.CanWinograd(s) {
		f := native.NewWinogradFilter(n.level, s, batch, len(n.workers))
		partial := n.memory.Floats(f.PartialLen())
		return []task{
			n.task(f.Parts(), func(worker *native.Worker, part int) { f.Sum(worker, part, x, y, partial) }),
			n.task(f.FinishParts(), func(worker *native.Worker, part int) { f.Finish(worker, part, partial, w) }),
		}
	}
	f := native.NewFilterGradient(n.level, s)
	slices := min(filterSlices, batch)
	size := f.Len()
	partial := n.memory.Floats(slices * size)
	in, out := s.Height*s.Width*s.In, s.Height*s.Width*s.Out
	sum := n.task(slices, func(worker *native.Worker, slice int) {
		sum := partial[slice*size:][:size]
		first := slice * batch / slices
		for i := first; i < (slice+1)*batch/slices; i++ {
			f.Add(worker, x[i*in:(i+1)*in], y[i*out:(i+1)*out], sum, i == first)
		}
	})
	// Runs of whole rows are added where the sums lie as the filter does, else rows.
	run, parts := s.Out, len(w)/s.Out
	if f.Whole() {
		run = min(sumGrain, len(w))
		parts = (len(w) + run - 1) / run
	}
	return []task{sum, n.task(parts, func(_ *native.Worker, part int) {
		to := w[part*run : min((part+1)*run, len(w))]
		for slice := range slices {
			from := partial[slice*size:][:size]
			if f.Whole() {
				from = from[part*run:][:len(to)]
			} else {
				from = f.Row(from, part)
			}
			if slice == 0 {
				copy(to, from)
			} else {
				native.AddTo(to, from)
			}
		}
	})}
}

// dense is a product of a dense layer.
func (n *nativeSession) dense(s gpu.ConvolutionShape, direction gpu.Direction, x, w, y []float32) []task {
	d := native.NewDense(n.level, s.Batch, s.In, s.Out)
	panels := func(extent int, do func(worker *native.Worker, lo, hi int)) task {
		return n.task((extent+native.DensePanel-1)/native.DensePanel, func(worker *native.Worker, part int) {
			do(worker, part*native.DensePanel, min((part+1)*native.DensePanel, extent))
		})
	}
	switch direction {
	case gpu.Forward:
		return []task{n.task(d.ForwardParts(), func(worker *native.Worker, part int) { d.Forward(worker, part, x, w, y) })}
	case gpu.BackwardData:
		transposed := n.memory.Floats(d.TransposedLen())
		return []task{
			panels(s.Out, func(_ *native.Worker, lo, hi int) { d.Transpose(lo, hi, y, transposed) }),
			panels(s.In, func(worker *native.Worker, lo, hi int) { d.BackwardData(worker, lo, hi, transposed, w, x) }),
		}
	}
	return []task{panels(s.In, func(_ *native.Worker, lo, hi int) { d.BackwardFilter(lo, hi, x, y, w) })}
}

// nativeTask is a number of parts that write disjoint memory.
type nativeTask struct {
	workers []*native.Worker
	count   int
	do      func(worker *native.Worker, part int)
}

func (n *nativeSession) task(parts int, do func(worker *native.Worker, part int)) task {
	return nativeTask{n.workers, parts, do}
}

func (t nativeTask) parts() int { return t.count }

func (t nativeTask) run(worker, lo, hi int) {
	for part := lo; part < hi; part++ {
		t.do(t.workers[worker], part)
	}
}
