// Package optim has the update rules. A rule of formulas for elements is a rule file, see
// package rulefile and [FileRule]. The others have a file here, with the formula, the
// convention and the source, and the settings with their defaults. The rule's kernels
// update all tensors of a network at once; Muon multiplies matrices before that.
//
// A rule is written on the command line as name:key=value,..., see [Parse].
//
// Learning rate and bias corrections change from step to step. The host computes them
// for the whole run, as a table that the kernels index by step. So they are
// bit-identical on every device, and a step copies nothing.
//
// What does not belong here: arithmetic on tensors, which is in package kernels; the
// training loop; records.
package optim
