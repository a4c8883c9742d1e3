// Package trial tries the kernels of a rule on small tensors, before a network is trained with
// them. [Trial.Emulate] runs them in the emulator with all checks, and compares their bodies.
// [Trial.Quadratic] follows the rule down a quadratic. [Trial.Warnings] looks for numbers of the
// host that are not finite, or too small for float32.
//
// What does not belong here: schedules, networks, and what is printed.
package trial
