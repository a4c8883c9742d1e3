package blocks

import (
	"math"
	"unsafe"
)

// Columns are partial sums of a chunk. Element i of the chunk belongs to column i mod 1024, and is
// added behind the elements of that column before it. Fold adds the columns. The zero value is
// empty.
type Columns [1024]float64

// Add adds n elements of x, each converted to float64, to columns first, first + 1 and so on.
func (c *Columns) Add(first int, x Operand, n int) {
	to := c[first:][:n]
	p := arguments{to: unsafe.Pointer(unsafe.SliceData(to)), groups: groups(n)}
	p.operands[0].set(x, n)
	vectorColumns(&p)
	xs, xm := x.values()
	for i := p.done(); i < n; i++ {
		to[i] += float64(xs[i&xm])
	}
}

// AddSquares is as Add with the squares of the elements, which float64 holds exactly.
func (c *Columns) AddSquares(first int, x Operand, n int) {
	to := c[first:][:n]
	p := arguments{to: unsafe.Pointer(unsafe.SliceData(to)), groups: groups(n)}
	p.operands[0].set(x, n)
	vectorSquares(&p)
	xs, xm := x.values()
	for i := p.done(); i < n; i++ {
		v := float64(xs[i&xm])
		to[i] += float64(v * v)
	}
}

// Fold returns the sum of all columns, and changes them. It adds the upper half of the columns
// to the lower, then the upper half of those, and so on to the first column.
func (c *Columns) Fold() float64 { return fold(c[:]) }

// Partials are columns that sum the chunks of a tensor, or the tensors of a network.
const Partials = 256

// Sum adds partial sums: number i to column i mod Partials, in turn, and then the columns as
// Fold does. The sum of none is 0.
func Sum(partials []float64) float64 {
	var columns [Partials]float64
	for i, v := range partials {
		columns[i%Partials] += v
	}
	return fold(columns[:])
}

// fold adds columns, a power of 2 of them, by halves.
func fold(columns []float64) float64 {
	for n := len(columns) / 2; n > 0; n /= 2 {
		to, from := columns[:n], columns[n:2*n]
		p := arguments{to: unsafe.Pointer(unsafe.SliceData(to)), groups: groups(n)}
		p.operands[0].at = unsafe.Pointer(unsafe.SliceData(from))
		vectorFold(&p)
		for i := p.done(); i < n; i++ {
			to[i] += from[i]
		}
	}
	return columns[0]
}

// Least returns the least of n elements of x: NaN if one of them is, and 0 for a zero of either
// sign. So the min of the results of blocks is that of their elements, in any order. The least of
// none is infinite.
func Least(x Operand, n int) float32 {
	least := float32(math.Inf(1))
	lanes := newLanes(least)
	p := arguments{to: unsafe.Pointer(&lanes), groups: groups(n)}
	p.operands[0].set(x, n)
	vectorLeast(&p)
	for _, v := range lanes {
		least = min(least, v)
	}
	xs, xm := x.values()
	for i := p.done(); i < n; i++ {
		least = min(least, xs[i&xm])
	}
	return least + 0 // +0 for -0
}

// Greatest is as Least with the greatest element. That of none is -Inf.
func Greatest(x Operand, n int) float32 {
	greatest := float32(math.Inf(-1))
	lanes := newLanes(greatest)
	p := arguments{to: unsafe.Pointer(&lanes), groups: groups(n)}
	p.operands[0].set(x, n)
	vectorGreatest(&p)
	for _, v := range lanes {
		greatest = max(greatest, v)
	}
	xs, xm := x.values()
	for i := p.done(); i < n; i++ {
		greatest = max(greatest, xs[i&xm])
	}
	return greatest + 0
}

// lanes are the results of a vector.
type lanes [8]float32

func newLanes(v float32) lanes { return lanes{v, v, v, v, v, v, v, v} }
