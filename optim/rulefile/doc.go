// Package rulefile has the language of rule files, in which an optimizer's update rule is a
// text of formulas. [Parse] reads and checks a file. [Compile] makes a [Program] of it, from
// which each body of the rule is made: one in Go, one in PTX. [Program.Interpret] is the
// reference that they are compared with.
//
// What does not belong here: devices, kernels, schedules, the estimators of the curvature.
//
// # Grammar
//
//	file        = header { declaration | statement } [ "eval" expression END ] .
//	header      = "rule" NAME TEXT END .
//	declaration = "key" NAME "=" ( constant [ "in" range ] [ "whole" ] [ "log" ] | "true" | "false" ) TEXT END
//	            | "slot" NAME { "," NAME } [ "=" ( "w" | constant ) ] END
//	            | "carry" NAME "=" constant END
//	            | "curvature" ESTIMATOR { NAME "=" ( constant | "true" | "false" ) } END .
//	range       = ( "[" | "(" ) bound "," bound ( "]" | ")" ) .
//	bound       = [ "-" ] ( NUMBER | "inf" ) .
//	constant    = [ "-" ] NUMBER .
//	statement   = NAME ( "=" | "+=" | "-=" | "*=" ) expression [ "if" expression ] END .
//	expression  = and { "or" and } .
//	and         = not { "and" not } .
//	not         = "not" not | comparison .
//	comparison  = sum [ ( "<" | "<=" | ">" | ">=" | "==" | "!=" ) sum ] .
//	sum         = product { ( "+" | "-" ) product } .
//	product     = unary { ( "*" | "/" ) unary } .
//	unary       = "-" unary | power .
//	power       = atom [ "^" unary ] .
//	atom        = NUMBER | "true" | "false" | NAME | FUNCTION "(" expression { "," expression } ")"
//	            | ( "tensor" | "all" ) "." REDUCTION "(" expression ")" | "(" expression ")" .
//
// END is the end of a line outside brackets, or ";". A comment begins with "#". A NAME is
// lower-case letters, digits and "_", a letter first. A TEXT is in double quotes.
//
// x += e is x = x + e, with e as if in brackets, and likewise -= and *=. x = e if c is
// x = where(c, e, x). pow(x, y) is x^y, and clip(x, low, high) is min(max(x, low), high).
//
// Statements take effect in their order, each at once. w, slots and carries may be assigned
// often, another name once. Such a name and each key but lr must be used. Reductions see the values of their line.
//
// # Kinds
//
// Each number has a [Kind], which says where it is computed, how often, and in what precision.
//
//	Const    keys, lr0, steps, epochs     host, once in a run              float64
//	Step     t, epoch, lr, carries        host, for all steps in advance   float64
//	Table    numel, rank                  host, once for each tensor       float64
//	Batch    loss, all.*                  device                           float32
//	Tensor   tensor.*                     device, for each tensor          float32
//	Element  w, g, h, slots               device, for each element         float32
//
// lr is the scheduled learning rate and lr0 the key. t and epoch count from 1. The kind of an
// operation is the least that holds those of its operands: step with batch is batch, step or
// batch with table is tensor. A choice between two sides by a boolean key is made in Compile.
// Its kind is that of the condition and both sides.
//
// # Arithmetic
//
// This is the contract of all bodies of a rule. They compute bit-identical results, where NaN
// is equal to any NaN.
//
// A number of the host is rounded to float32 once, where it meets one of the device: OpRound.
// f32(x) rounds a number of the host that stays there.
//
// The host computes in float64 with Go's operators and math.Exp, math.Log and math.Pow, each
// result rounded, never fused. It does so once for all devices of a run
// ([Program.Coefficients]).
//
// The device computes in float32. Each operation is rounded to nearest, ties to even, in the
// order of the formula, without fused multiply-add. Subnormal numbers are kept. A division is
// not the product with a reciprocal. In PTX that is add.rn, sub.rn, mul.rn, div.rn and sqrt.rn
// without .ftz: without .rn an assembler may fuse. In particular:
//
//   - x^k is x * x * ... from the left, for a literal k from 2 to 8.
//   - -x changes the sign bit alone; abs clears it.
//   - min and max of a NaN and any number are NaN; -0 is less than +0.
//   - sign(x) is 1 or -1, and x itself where x is a zero or NaN.
//   - Comparisons with NaN are false, != is true.
//   - where computes both sides and takes one.
//   - exp and log are [Exp32] and [Log32]: in float64, rounded to float32 once.
//
// The minimum and the maximum over elements are NaN if one of them is, and +0 if they are
// zero. Sums are in float64: elements are converted (those of norm squared, which is exact),
// added, divided by their number for mean, rooted for norm, and then rounded to float32. The
// order is that of three levels, each of which adds numbers in columns:
//
//   - The elements of a chunk, which are 4096 from the tensor's first on, are added in 1024
//     columns.
//   - The chunks of a tensor are added in 256 columns.
//   - For all.*, the tensors are added in 256 columns.
//
// To add numbers in n columns, each column begins with +0. Column q adds the numbers q, q+n,
// q+2n and so on in turn. Then column i adds column i+n/2 for all i below n/2, then i+n/4 for
// those below n/4, and so on until one is left.
//
// A tensor's elements are in the device's layout, so convolution filters have another order of
// sums on a device that stores them differently.
package rulefile
