// Package optim has the update rules, one in each file. A file has the formula, the
// convention and the source of its rule, and the settings with their defaults. One
// launch of the rule's kernel updates all tensors of a network.
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
