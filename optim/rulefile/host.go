package rulefile

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// Run is what a rule's numbers on the host depend on.
type Run struct {
	// Keys are the values of number keys. Those that are left out have their defaults.
	Keys map[string]float64
	// Rates are the learning rates of the steps: the key lr with its schedule and warm-up.
	Rates         []float64
	StepsPerEpoch int
	Tensors       []Shape
}

// Shape is what a rule can know of a tensor.
type Shape struct {
	Elements int
	Rank     int // 4 of a convolution's filter, 2 of a matrix, 1 of a vector
}

// Coefficients are a program's numbers from the host, rounded to float32. Conditions are 1
// for true and 0 for false.
type Coefficients struct {
	Constants []float32 // [len(Program.Constants)]
	Steps     []float32 // [steps, len(Program.Steps)]
	Tables    []float32 // [tensors, len(Program.Tables)]
	// Vanished has, by the value's place in Program.Values, the first number that is 0 only because
	// float32 has none so small.
	Vanished map[int]Vanished
}

// Vanished is a number in float64, and its row in Steps or Tables.
type Vanished struct {
	Number float64
	Row    int
}

// Coefficients computes all numbers that the device needs from the host in a run. It returns
// an error for a key that the rule does not have, a value that is not valid for its key, an
// epoch without steps and a tensor without elements.
func (p *Program) Coefficients(run Run) (*Coefficients, error) {
	keys := map[string]float64{}
	for _, k := range p.Rule.Keys {
		keys[k.Name] = k.Default
	}
	for _, name := range slices.Sorted(maps.Keys(run.Keys)) {
		k := p.Rule.key(name)
		if k == nil || k.Boolean {
			return nil, fmt.Errorf("rule %s has no number key %q%s", p.Rule.Name, name, similar(name, p.Rule.keyNames(false)))
		}
		if err := k.Check(run.Keys[name]); err != nil {
			return nil, fmt.Errorf("rule %s: key %s: %w", p.Rule.Name, name, err)
		}
		keys[name] = run.Keys[name]
	}
	if run.StepsPerEpoch < 1 {
		return nil, fmt.Errorf("an epoch of %d steps: give at least 1", run.StepsPerEpoch)
	}
	steps := len(run.Rates)
	given := map[string]float64{"lr0": keys["lr"], "steps": float64(steps), "epochs": float64((steps + run.StepsPerEpoch - 1) / run.StepsPerEpoch)}
	h := &host{p: p, keys: keys, given: given, carries: map[string]float64{}, x: make([]float64, len(p.Values))}
	c := &Coefficients{Vanished: map[int]Vanished{}}
	h.compute(Const)
	c.Constants = h.round(c, nil, p.Constants)
	for i, shape := range run.Tensors {
		given["numel"], given["rank"] = float64(shape.Elements), float64(shape.Rank)
		if shape.Elements < 1 {
			return nil, fmt.Errorf("tensor %d has no elements", i)
		}
		h.compute(Table)
		c.Tables = h.round(c, c.Tables, p.Tables)
	}
	for _, k := range p.Carries {
		h.carries[k.Name] = k.Initial
	}
	for i, rate := range run.Rates {
		given["t"], given["epoch"], given["lr"] = float64(i+1), float64(1+i/run.StepsPerEpoch), rate
		h.compute(Step)
		c.Steps = h.round(c, c.Steps, p.Steps)
		for _, k := range p.Carries {
			h.carries[k.Name] = h.x[k.Next]
		}
	}
	return c, nil
}

// host computes the host's values of a program.
type host struct {
	p                    *Program
	keys, given, carries map[string]float64
	x                    []float64 // of each value of the program
}

// compute computes the values of a kind.
func (h *host) compute(kind Kind) {
	for i, v := range h.p.Values {
		if !v.Host || v.Kind != kind {
			continue
		}
		var a [3]float64
		for j, arg := range v.Args {
			a[j] = h.x[arg]
		}
		switch v.Op {
		case OpKey:
			h.x[i] = h.keys[v.Name]
		case OpGiven:
			h.x[i] = h.given[v.Name]
		case OpCarry:
			h.x[i] = h.carries[v.Name]
		case OpNumber:
			h.x[i] = v.Number
		case OpExp:
			h.x[i] = math.Exp(a[0])
		case OpLog:
			h.x[i] = math.Log(a[0])
		case OpPower:
			h.x[i] = math.Pow(a[0], a[1])
		case OpF32:
			h.x[i] = float64(float32(a[0]))
		default:
			h.x[i] = arithmetic(v.Op, a[0], a[1], a[2])
		}
	}
}

// round appends the operands of OpRounds to the rows of a kind of the device's numbers.
func (h *host) round(c *Coefficients, rows []float32, rounds []int) []float32 {
	place := len(rows) / max(1, len(rounds))
	for _, i := range rounds {
		exact := h.x[h.p.Values[i].Args[0]]
		if _, known := c.Vanished[i]; exact != 0 && float32(exact) == 0 && !known {
			c.Vanished[i] = Vanished{exact, place}
		}
		rows = append(rows, float32(exact))
	}
	return rows
}

// arithmetic computes the operations that are the same on host and device. True is 1, false
// is 0. The conversions of results keep a compiler from fusing an operation with the next.
func arithmetic[T float32 | float64](op Op, x, y, z T) T {
	switch op {
	case OpAdd:
		return T(x + y)
	case OpSubtract:
		return T(x - y)
	case OpMultiply:
		return T(x * y)
	case OpDivide:
		return T(x / y)
	case OpNegate:
		return -x
	case OpSqrt: // of a float32, a root in float64 that is rounded is rounded correctly
		return T(math.Sqrt(float64(x)))
	case OpAbs:
		return T(math.Abs(float64(x)))
	case OpSign:
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return x
	case OpMin:
		return min(x, y)
	case OpMax:
		return max(x, y)
	case OpIsFinite:
		return truth[T](!math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0))
	case OpLess:
		return truth[T](x < y)
	case OpLessEqual:
		return truth[T](x <= y)
	case OpEqual:
		return truth[T](x == y)
	case OpNotEqual:
		return truth[T](x != y)
	case OpAnd:
		return truth[T](x != 0 && y != 0)
	case OpOr:
		return truth[T](x != 0 || y != 0)
	case OpNot:
		return truth[T](x == 0)
	case OpSelect:
		if x != 0 {
			return y
		}
		return z
	}
	panic("rulefile: no arithmetic for " + op.String())
}

func truth[T float32 | float64](b bool) T {
	if b {
		return 1
	}
	return 0
}
