package kerneltest

import (
	"fmt"
	"math"
	"math/bits"
)

// number is a result of float32 arithmetic as the float64 that it would be
// without rounding, and a bound of its error: running error analysis, Higham,
// Accuracy and Stability of Numerical Algorithms, section 3.3. An operation
// whose result float32 holds exactly adds no error, so that results on coarse
// inputs, and the decisions taken on them, are known without doubt.
type number struct {
	value, bound float64
}

// unit is float32's unit roundoff, smallest half the distance of its subnormal
// numbers.
const (
	unit     = 1.0 / (1 << 24)
	smallest = 1.0 / (1 << 75) / (1 << 75)
)

// unchanged stands in a list of wanted values for an element that the kernel
// must leave alone, to the bit.
var unchanged = number{bound: -1}

// exactly is a float32 that is given.
func exactly(v float32) number { return number{value: float64(v)} }

// rounded is a value with an error so far, rounded to float32.
func rounded(value, bound float64) number {
	switch {
	case math.IsNaN(value) || math.IsInf(value, 0):
		return number{value: value}
	case math.Abs(value) >= math.MaxFloat32*(1+unit):
		return number{value: math.Copysign(math.Inf(1), value)}
	case bound == 0 && float64(float32(value)) == value:
		return number{value: value}
	}
	return number{value, bound + unit*(math.Abs(value)+bound) + smallest}
}

// double is a float64 that a kernel computed from sums of terms of the given
// absolute size, stored as a float32: float64's own error allows for 2^20
// terms.
func double(value, absolute float64) number { return rounded(value, absolute/(1<<33)) }

func (a number) plus(b number) number  { return rounded(a.value+b.value, a.bound+b.bound) }
func (a number) minus(b number) number { return rounded(a.value-b.value, a.bound+b.bound) }

func (a number) times(b number) number {
	return rounded(a.value*b.value, math.Abs(a.value)*b.bound+math.Abs(b.value)*a.bound+a.bound*b.bound)
}

// over panics where rounding leaves the divisor open.
func (a number) over(b number) number {
	quotient := a.value / b.value
	if a.bound == 0 && b.bound == 0 {
		return rounded(quotient, 0)
	}
	if b.bound > math.Abs(b.value)/1000 {
		panic(fmt.Sprintf("kerneltest: a divisor of %g +- %g", b.value, b.bound))
	}
	return rounded(quotient, (a.bound+math.Abs(quotient)*b.bound)/(math.Abs(b.value)-b.bound))
}

func (a number) squareRoot() number {
	root := math.Sqrt(a.value)
	return rounded(root, max(math.Sqrt(a.value+a.bound)-root, root-math.Sqrt(max(0, a.value-a.bound))))
}

// function is an elementary function on a device: its value within two units in
// the last place, four units of rounding, which covers float64 on the host and
// CUDA's expf and logf.
func function(value, bound float64) number {
	return rounded(value, bound+4*unit*math.Abs(value))
}

func (a number) exponential() number {
	value := math.Exp(a.value)
	return function(value, value*math.Expm1(a.bound))
}

func (a number) logarithm() number {
	if a.value == 1 && a.bound == 0 {
		return number{}
	}
	return function(math.Log(a.value), -math.Log1p(-a.bound/a.value))
}

// positive reports whether a number is above zero. It panics if rounding could
// decide that otherwise: then the inputs of the case are badly chosen.
func (a number) positive() bool {
	if a.bound != 0 && math.Abs(a.value) <= a.bound {
		panic(fmt.Sprintf("kerneltest: the sign of %g +- %g is open", a.value, a.bound))
	}
	return a.value > 0
}

// total is a sum of float32 terms in whatever order: n terms add at most n-1
// units of the sum of their absolute values, and at most 8 sqrt(n) but for one
// sum in 1e13/n (Higham and Mary 2019, A new approach to probabilistic rounding
// error analysis, theorem 3.1 with lambda = 8). It panics if that would hide a
// term.
func total(terms []number) number {
	if len(terms) == 1 {
		return terms[0]
	}
	n := float64(len(terms))
	var value, absolute, bound float64
	for _, t := range terms {
		value += t.value
		absolute += math.Abs(t.value) + t.bound
		bound += t.bound
	}
	if bound == 0 && absolute <= quantum(terms)/unit {
		return number{value: value} // exact in any order
	}
	sum := rounded(value, bound)
	sum.bound += min(n-1, 8*math.Sqrt(n)) * unit * absolute * (1 + 1e-3) // second order in n units
	if sum.bound > absolute/n/2 {
		panic(fmt.Sprintf("kerneltest: a bound of %g hides a term of %g", sum.bound, absolute/n))
	}
	return sum
}

// quantum is a power of two that all terms are multiples of.
func quantum(terms []number) float64 {
	smallest := math.Inf(1)
	for _, t := range terms {
		if t.value == 0 {
			continue
		}
		fraction, exponent := math.Frexp(math.Abs(t.value))
		mantissa := uint64(math.Ldexp(fraction, 53))
		smallest = min(smallest, math.Ldexp(1, exponent-53+bits.TrailingZeros64(mantissa)))
	}
	return smallest
}

// holds returns an error unless a result is within the bound.
func (a number) holds(got float32) error {
	if math.IsNaN(a.value) && math.IsNaN(float64(got)) || float64(got) == a.value {
		return nil
	}
	if off := math.Abs(float64(got) - a.value); !(off <= a.bound) {
		return fmt.Errorf("got %.9g, want %.9g: off by %.2g, tolerance %.2g", got, a.value, off, a.bound)
	}
	return nil
}
