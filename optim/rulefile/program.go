package rulefile

import (
	"fmt"
	"math"
	"strings"
)

// Program is a rule with values for its boolean keys, as a list of operations. Two programs
// with the same String need the same kernels.
type Program struct {
	Rule *Rule
	// Values are all operations of a step, each behind its operands. An index into Values
	// stands for a value everywhere else.
	Values []Value
	// Constants, Steps and Tables are the host's values for the device: the OpRound of kind
	// Const, Step and Table. Their order is that of Coefficients.
	Constants, Steps, Tables []int
	// Carries are the carries whose values are needed.
	Carries []CarryUpdate
	// Stores are the arrays that a step changes, w first, then slots in the rule's order.
	// Each has its value at the end of the step.
	Stores []Store
	// Passes compute the stores: see Pass.
	Passes []Pass
	// Evaluation computes the weights for evaluation from w and slots after a step; nil if
	// the rule has none. Its one store has the array "eval".
	Evaluation *Pass
	// Bytes is what the passes read and write for an element. Touch is what a single pass
	// would that reads and writes each array once.
	Bytes, Touch int
}

// CarryUpdate is the change of a carry by a step.
type CarryUpdate struct {
	Name    string
	Initial float64
	Next    int // the value at the end of the step
}

// Store writes the value of kind Element, or a lesser one for all elements, into an array.
type Store struct {
	Array string // w, a slot, or eval
	Value int
}

// Read takes a value from an array: an OpLoad, or the final value of an array that an
// earlier pass has stored.
type Read struct {
	Array string
	Value int
}

// Pass is one sweep over all elements. A later pass begins after all reductions of the
// earlier ones are finished. In each of a tensor's elements it
//
//   - takes Reads from memory,
//   - computes Values, which are of kind Element, in order,
//   - adds the operand of each value in Reductions to that reduction,
//   - writes Stores.
//
// The element's operands are Reads, Values and Scalars. Scalars are the same for all elements
// of a tensor: they are of lesser kinds, in order, each computed or taken as its operation
// says. Reductions among them belong to earlier passes.
type Pass struct {
	Scalars    []int
	Reads      []Read
	Values     []int
	Reductions []int
	Stores     []Store
}

// Value is the result of an operation.
type Value struct {
	Op Op
	// Args are the operands.
	Args []int
	// Host says that the number is a float64 on the host. Else it is a float32 on the device.
	Host bool
	// Condition says that the value is true or false, not a number.
	Condition bool
	// Kind is how often the value changes. It is the kind of the operands after boolean keys
	// are known, so it can be less than that of the formula. The device computes what has a
	// kind below Element once for a tensor, or more rarely.
	Kind Kind
	// Stage is the number of reductions, each an operand of the next, that the value needs.
	// Pass Stage is the first that can compute it.
	Stage int
	// Number is the value of an OpNumber, which float32 holds exactly if not Host.
	Number float64
	// Name is that of an OpKey, OpGiven, OpCarry or OpLoad. Of a reduction, it is "tensor" or
	// "all", over what the reduction goes.
	Name string
	// Line and Column are where the rule file has the operation, or the first of equal ones.
	Line, Column int
}

// Op is an operation. Operands x, y, z are Args in this order.
type Op uint8

const (
	// Leaves of the host.
	OpKey   Op = iota // the number of a key: Name
	OpGiven           // t, epoch, steps, epochs, lr, lr0, numel or rank: Name
	OpCarry           // a carry at the step's begin: Name

	// OpRound is where the host's x becomes one of the device's: a number is rounded to
	// float32.
	OpRound

	// Leaves of the device.
	OpLoad // an element of w, g, h or a slot at the step's begin: Name
	OpLoss // the batch's loss

	// Of host and device.
	OpNumber       // Number
	OpAdd          // x + y
	OpSubtract     // x - y
	OpMultiply     // x y
	OpDivide       // x / y
	OpNegate       // x with the other sign, also of 0 and NaN
	OpSqrt         // the root of x, correctly rounded
	OpAbs          // x without its sign
	OpSign         // 1 above 0, -1 below 0, else x: a zero or NaN
	OpExp          // on the device Exp32
	OpLog          // on the device Log32
	OpMin          // NaN if x or y is; -0 is less than 0
	OpMax          // likewise
	OpIsFinite     // x is neither NaN nor infinite
	OpLess         // x < y; false if x or y is NaN
	OpLessEqual    // x <= y, likewise
	OpEqual        // x == y, likewise
	OpNotEqual     // x != y; true if x or y is NaN
	OpAnd          // of conditions
	OpOr           // of conditions
	OpNot          // of a condition
	OpSelect       // y if the condition x, else z
	OpPower        // x to the power of y; host only
	OpF32          // x rounded to float32, as a float64; host only
	OpReduceSum    // over Name; device only, as the next four
	OpReduceMin    // the least
	OpReduceMax    // the greatest
	OpReduceMean   // sum over the number of elements
	OpReduceNorm   // root of the sum of squares
	operationCount = iota
)

// Reduces says whether the operation is a reduction. Its operand is a value of kind Element,
// or a lesser one for all elements.
func (o Op) Reduces() bool { return o >= OpReduceSum }

var operationNames = [operationCount]string{
	"key", "given", "carry", "round", "load", "loss", "number", "add", "subtract", "multiply", "divide", "negate", "sqrt", "abs", "sign", "exp", "log", "min", "max",
	"isfinite", "less", "lessequal", "equal", "notequal", "and", "or", "not", "select", "power", "f32", "sum", "min", "max", "mean", "norm",
}

// String returns the operation's name in lower case.
func (o Op) String() string { return operationNames[o] }

// String lists the values and passes, for a reader and to tell programs apart.
func (p *Program) String() string {
	var b strings.Builder
	for i, v := range p.Values {
		precision := "device"
		if v.Host {
			precision = "host"
		}
		fmt.Fprintf(&b, "%%%d = %s.%s %s", i, precision, v.Kind, v.Op)
		switch {
		case v.Op == OpNumber && v.Number == 0 && math.Signbit(v.Number):
			b.WriteString(" -0")
		case v.Op == OpNumber:
			b.WriteString(" " + decimal(v.Number))
		case v.Name != "":
			b.WriteString(" " + v.Name)
		}
		for _, a := range v.Args {
			fmt.Fprintf(&b, " %%%d", a)
		}
		b.WriteByte('\n')
	}
	for _, c := range p.Carries {
		fmt.Fprintf(&b, "carry %s = %s, then %%%d\n", c.Name, decimal(c.Initial), c.Next)
	}
	for i := range p.Passes {
		fmt.Fprintf(&b, "pass %d%s\n", i, &p.Passes[i])
	}
	if p.Evaluation != nil {
		fmt.Fprintf(&b, "evaluation%s\n", p.Evaluation)
	}
	return b.String()
}

// String lists what the pass reads, computes, reduces and writes.
func (p *Pass) String() string {
	var b strings.Builder
	list := func(what string, values []int) {
		if len(values) > 0 {
			b.WriteString("; " + what)
		}
		for _, v := range values {
			fmt.Fprintf(&b, " %%%d", v)
		}
	}
	list("scalars", p.Scalars)
	for _, r := range p.Reads {
		fmt.Fprintf(&b, "; %%%d from %s", r.Value, r.Array)
	}
	list("values", p.Values)
	list("reduces", p.Reductions)
	for _, s := range p.Stores {
		fmt.Fprintf(&b, "; %s = %%%d", s.Array, s.Value)
	}
	return b.String()
}
