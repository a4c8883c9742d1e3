// Package fused runs the programs of rule files on devices: all operations of a pass over the
// elements are one kernel.
//
// [New] makes the kernels of a program: PTX text for emu and cuda, and a list of operations on
// blocks of elements, the Go body, for the cpu. Both are of one description of the pass, so
// they compute the same in the same order. [Kernels.Bind] binds them to the memory of a run.
//
// A pass walks the chunks of all tensors, a block of threads each, as the update kernels of
// package kernels do. A reduction leaves a partial result of each chunk. One more kernel
// combines those of each tensor, and another those of all tensors.
//
// What does not belong here: the language and its numbers on the host, which are in package
// rulefile; loops over elements, which are in package blocks; schedules, slots' memory.
package fused
