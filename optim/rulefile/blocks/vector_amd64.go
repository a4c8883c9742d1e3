package blocks

import "diaghess/gpu/vector"

// hasVectors changes in tests only.
var hasVectors = func() bool {
	level, _ := vector.Supported() // opening the device returns the error
	return level >= vector.AVX2
}()

//go:noescape
func vectorFill(p *arguments)

//go:noescape
func vectorAdd(p *arguments)

//go:noescape
func vectorSubtract(p *arguments)

//go:noescape
func vectorMultiply(p *arguments)

//go:noescape
func vectorDivide(p *arguments)

//go:noescape
func vectorNegate(p *arguments)

//go:noescape
func vectorAbs(p *arguments)

//go:noescape
func vectorSign(p *arguments)

//go:noescape
func vectorSqrt(p *arguments)

//go:noescape
func vectorExp(p *arguments)

//go:noescape
func vectorLog(p *arguments)

//go:noescape
func vectorMin(p *arguments)

//go:noescape
func vectorMax(p *arguments)

//go:noescape
func vectorIsFinite(p *arguments)

//go:noescape
func vectorLess(p *arguments)

//go:noescape
func vectorLessEqual(p *arguments)

//go:noescape
func vectorEqual(p *arguments)

//go:noescape
func vectorNotEqual(p *arguments)

//go:noescape
func vectorAnd(p *arguments)

//go:noescape
func vectorOr(p *arguments)

//go:noescape
func vectorNot(p *arguments)

//go:noescape
func vectorSelect(p *arguments)

//go:noescape
func vectorColumns(p *arguments)

//go:noescape
func vectorSquares(p *arguments)

//go:noescape
func vectorFold(p *arguments)

//go:noescape
func vectorLeast(p *arguments)

//go:noescape
func vectorGreatest(p *arguments)
