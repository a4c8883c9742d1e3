package cpu

import "diaghess/gpu"

// The tasks that convolutions of every library are made of.

// sumTask adds the partial sums of the slices in order; a part is a run of
// sumGrain elements.
type sumTask struct {
	partial []float32 // [slices, len(sum)]
	slices  int
	sum     []float32
}

const sumGrain = 4096

func (t *sumTask) parts() int { return (len(t.sum) + sumGrain - 1) / sumGrain }

func (t *sumTask) run(worker, lo, hi int) error {
	n := len(t.sum)
	first, last := lo*sumGrain, min(hi*sumGrain, n)
	sum := t.sum[first:last]
	copy(sum, t.partial[first:last])
	for slice := 1; slice < t.slices; slice++ {
		for i, v := range t.partial[slice*n+first : slice*n+last] {
			sum[i] += v
		}
	}
	return nil
}

// gemmFunc is C = op(A) op(B) in row-major order, on the calling goroutine:
// op(A) is m x k, op(B) k x n; op transposes where it is asked to.
type gemmFunc func(transA, transB bool, m, n, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int) error

// denseTask is a product of a dense layer, x [Batch, In], w [In, Out], y
// [Batch, Out]; a part is a panel of denseColumns columns of the result (rows,
// for the filter's gradient).
type denseTask struct {
	shape     gpu.ConvolutionShape
	direction gpu.Direction
	x, w, y   []float32
	gemm      gemmFunc
}

const denseColumns = 64

func (t *denseTask) parts() int {
	n := t.shape.In
	if t.direction == gpu.Forward {
		n = t.shape.Out
	}
	return (n + denseColumns - 1) / denseColumns
}

func (t *denseTask) run(worker, lo, hi int) error {
	batch, in, out := t.shape.Batch, t.shape.In, t.shape.Out
	for part := lo; part < hi; part++ {
		first := part * denseColumns
		var err error
		switch t.direction {
		case gpu.Forward:
			n := min(denseColumns, out-first)
			err = t.gemm(false, false, batch, n, in, t.x, in, t.w[first:], out, t.y[first:], out)
		case gpu.BackwardData:
			n := min(denseColumns, in-first)
			err = t.gemm(false, true, batch, n, out, t.y, out, t.w[first*out:], out, t.x[first:], in)
		case gpu.BackwardFilter:
			n := min(denseColumns, in-first)
			err = t.gemm(true, false, n, out, batch, t.x[first:], in, t.y, out, t.w[first*out:], out)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
