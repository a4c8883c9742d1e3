// Package optim holds the update rules, one a file: formula, convention and
// source, its tunables with their defaults, and the kernel that applies it to
// all tensors of a network in one launch.
//
// A rule is written on the command line as name:key=value,..., see [Parse].
// What changes from step to step, learning rate and bias corrections, is made
// on the host for the whole run, as a table that the kernels index by step:
// the bits are the same on every device, and a step copies nothing.
package optim
