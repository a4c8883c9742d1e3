package blocks

import "diaghess/optim/rulefile"

// Apply sets to = the elementwise operation of the operands, by its function.
func Apply(op rulefile.Op, to []float32, x []Operand) {
	switch op {
	case rulefile.OpAdd:
		Add(to, x[0], x[1])
	case rulefile.OpSubtract:
		Subtract(to, x[0], x[1])
	case rulefile.OpMultiply:
		Multiply(to, x[0], x[1])
	case rulefile.OpDivide:
		Divide(to, x[0], x[1])
	case rulefile.OpNegate:
		Negate(to, x[0])
	case rulefile.OpSqrt:
		Sqrt(to, x[0])
	case rulefile.OpAbs:
		Abs(to, x[0])
	case rulefile.OpSign:
		Sign(to, x[0])
	case rulefile.OpExp:
		Exp(to, x[0])
	case rulefile.OpLog:
		Log(to, x[0])
	case rulefile.OpMin:
		Min(to, x[0], x[1])
	case rulefile.OpMax:
		Max(to, x[0], x[1])
	case rulefile.OpIsFinite:
		IsFinite(to, x[0])
	case rulefile.OpLess:
		Less(to, x[0], x[1])
	case rulefile.OpLessEqual:
		LessEqual(to, x[0], x[1])
	case rulefile.OpEqual:
		Equal(to, x[0], x[1])
	case rulefile.OpNotEqual:
		NotEqual(to, x[0], x[1])
	case rulefile.OpAnd:
		And(to, x[0], x[1])
	case rulefile.OpOr:
		Or(to, x[0], x[1])
	case rulefile.OpNot:
		Not(to, x[0])
	case rulefile.OpSelect:
		Select(to, x[0], x[1], x[2])
	default:
		panic("blocks: no elementwise operation is " + op.String())
	}
}
