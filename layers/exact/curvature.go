package exact

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
)

// HessianVector returns the product of the Hessian of the loss with a vector. Both have
// the layout of Network.Values. It panics if the vector has another length.
func (p *Pass) HessianVector(z []float64) []float64 {
	if len(z) != len(p.network.Values) {
		panic("exact: the vector of a Hessian product does not have the layout of the network's values")
	}
	outputGradients := p.outputGradients()
	tangents, rd := p.tangents(z, 0)
	product := make([]float64, len(z))
	for i := len(p.traces) - 1; i >= 0; i-- {
		p.traces[i].tangentGradient(z, tangents[i], outputGradients[i], rd, product)
		if i > 0 {
			rd = p.traces[i].tangentBackward(z, tangents[i], outputGradients[i], rd)
		}
	}
	return product
}

// outputGradients returns the gradient of the loss by the output of each layer.
func (p *Pass) outputGradients() [][]float64 {
	var gradients [][]float64
	p.backward(p.lossGradient(p.batch.Labels), func(_ trace, dout []float64) { gradients = append(gradients, dout) })
	slices.Reverse(gradients)
	return gradients
}

// tangents returns the derivatives along a direction of the input of each layer
// and of the loss's gradient by the logits. No layer before the first given has
// a part in the direction.
func (p *Pass) tangents(z []float64, first int) (inputs [][]float64, rdlogits []float64) {
	inputs = make([][]float64, len(p.traces))
	var r []float64
	for i := first; i < len(p.traces); i++ {
		inputs[i] = r
		r = p.traces[i].tangent(z, r)
	}
	return inputs, p.lossTangent(r)
}

// lossTangent is the derivative of the loss's gradient by the logits along a
// change of the logits: (diag(p) - p p^T) r / rows in each row.
func (p *Pass) lossTangent(r []float64) []float64 {
	classes := p.network.Classes
	rd := make([]float64, len(r))
	for row := range p.rows() {
		at := row * classes
		mean := 0.0
		for c := range classes {
			mean += p.probability[at+c] * r[at+c]
		}
		for c := range classes {
			rd[at+c] = p.probability[at+c] * (r[at+c] - mean) / float64(p.rows())
		}
	}
	return rd
}

// HessianDiagonal returns the diagonal of the Hessian of the loss, with the layout of
// Network.Values. It computes a Hessian-vector product for each parameter, on all
// processors, which takes seconds for a few thousand parameters. It returns the context's
// error if the context ends.
func (p *Pass) HessianDiagonal(ctx context.Context) ([]float64, error) {
	diagonal := make([]float64, len(p.network.Values))
	outputGradients := p.outputGradients()
	for first, s := range p.network.stages {
		for _, tensor := range s.tensors() {
			err := parallel(ctx, len(tensor.Value), func(i int) {
				diagonal[tensor.Offset+i] = p.hessianElement(tensor.Offset+i, first, outputGradients)
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return diagonal, nil
}

// hessianElement returns the second derivative of the loss by a parameter of a
// layer. Only that layer and those behind have a part in it.
func (p *Pass) hessianElement(element, layer int, outputGradients [][]float64) float64 {
	z, product := make([]float64, len(p.network.Values)), make([]float64, len(p.network.Values))
	z[element] = 1
	tangents, rd := p.tangents(z, layer)
	for i := len(p.traces) - 1; i > layer; i-- {
		rd = p.traces[i].tangentBackward(z, tangents[i], outputGradients[i], rd)
	}
	p.traces[layer].tangentGradient(z, tangents[layer], outputGradients[layer], rd, product)
	return product[element]
}

// GaussNewtonDiagonal returns the diagonal of the Gauss-Newton matrix
//
//	G = 1/rows sum over rows of J^T (diag(p) - p p^T) J
//
// with J the Jacobian of the row's logits by the parameters. Each column of a
// square root of the middle matrix, sqrt(p[c]) (e[c] - p) for class c, goes
// backward and is squared. Normalization with the batch's own statistics makes
// the logits of a row depend on all rows. Then each row and class takes a backward pass of
// the batch; otherwise each row is a batch of its own. The passes
// share all processors. It fails if the context ends.
func (p *Pass) GaussNewtonDiagonal(ctx context.Context) ([]float64, error) {
	// Rows are summed in stripes, whose number is fixed so that the order of
	// the sums, and with it the result, does not depend on the processors.
	const stripes = 8
	partial := make([][]float64, min(stripes, p.rows()))
	err := parallel(ctx, len(partial), func(stripe int) {
		partial[stripe] = make([]float64, len(p.network.Values))
		for row := stripe; row < p.rows() && ctx.Err() == nil; row += len(partial) {
			p.addRowDiagonal(row, partial[stripe])
		}
	})
	if err != nil {
		return nil, err
	}
	diagonal := make([]float64, len(p.network.Values))
	for _, part := range partial {
		for i, v := range part {
			diagonal[i] += v / float64(p.rows())
		}
	}
	return diagonal, nil
}

// addRowDiagonal adds the diagonal of J^T (diag(p) - p p^T) J of a row.
func (p *Pass) addRowDiagonal(row int, diagonal []float64) {
	classes := p.network.Classes
	probability := p.probability[row*classes:][:classes]
	at := p
	if len(p.Normalizations) == 0 {
		at, row = p.network.Forward(p.batch.row(row)), 0
	}
	for class := range classes {
		column := make([]float64, len(at.Logits))
		root := math.Sqrt(probability[class])
		for c, q := range probability {
			column[row*classes+c] = -root * q
		}
		column[row*classes+class] += root
		for i, v := range at.JacobianTransposed(column) {
			diagonal[i] += v * v
		}
	}
}

// row is a batch of one row.
func (b Batch) row(row int) Batch {
	part := func(n int) (lo, hi int) { return row * n / len(b.Labels), (row + 1) * n / len(b.Labels) }
	one := b
	one.Labels = b.Labels[row : row+1]
	lo, hi := part(len(b.X))
	one.X = b.X[lo:hi]
	one.Masks = nil
	for _, mask := range b.Masks {
		lo, hi := part(len(mask))
		one.Masks = append(one.Masks, mask[lo:hi])
	}
	return one
}

// parallel calls work for 0 to n-1 on all processors until the context ends.
func parallel(ctx context.Context, n int, work func(i int)) error {
	var next sync.Mutex
	i := 0
	take := func() int {
		next.Lock()
		defer next.Unlock()
		i++
		return i - 1
	}
	var running sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		running.Add(1)
		go func() {
			defer running.Done()
			for i := take(); i < n && ctx.Err() == nil; i = take() {
				work(i)
			}
		}()
	}
	running.Wait()
	return ctx.Err()
}
