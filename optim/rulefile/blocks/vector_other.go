//go:build !amd64

package blocks

// Other processors leave all to the loops.

const hasVectors = false

func vectorFill(*arguments)      {}
func vectorAdd(*arguments)       {}
func vectorSubtract(*arguments)  {}
func vectorMultiply(*arguments)  {}
func vectorDivide(*arguments)    {}
func vectorNegate(*arguments)    {}
func vectorAbs(*arguments)       {}
func vectorSign(*arguments)      {}
func vectorSqrt(*arguments)      {}
func vectorExp(*arguments)       {}
func vectorLog(*arguments)       {}
func vectorMin(*arguments)       {}
func vectorMax(*arguments)       {}
func vectorIsFinite(*arguments)  {}
func vectorLess(*arguments)      {}
func vectorLessEqual(*arguments) {}
func vectorEqual(*arguments)     {}
func vectorNotEqual(*arguments)  {}
func vectorAnd(*arguments)       {}
func vectorOr(*arguments)        {}
func vectorNot(*arguments)       {}
func vectorSelect(*arguments)    {}
func vectorColumns(*arguments)   {}
func vectorSquares(*arguments)   {}
func vectorFold(*arguments)      {}
func vectorLeast(*arguments)     {}
func vectorGreatest(*arguments)  {}
