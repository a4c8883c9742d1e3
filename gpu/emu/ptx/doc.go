// Package ptx reads PTX, the assembly text that nvcc makes of CUDA kernels, and runs it
// in pure Go.
//
// A [Module] is parsed and checked once. That gives every register its slot, every label
// its place, and every branch the point where its two sides meet again (the immediate
// post-dominator).
//
// A [Kernel] of a module runs over a [Memory] with [Kernel.Run]. The 32 lanes of a warp
// run in lockstep, under an active mask with a stack of reconvergence points. The warps
// of a block take turns. Blocks are distributed over worker goroutines.
//
// # What is exact
//
// These operations give exactly the result that the PTX ISA defines:
//
//   - add, sub, mul, fma, div, rcp and sqrt with .rn, and float32 add and fma with .rm and .rz;
//   - every cvt, min, max, abs, neg and comparison;
//   - all integer operations.
//
// A float32 NaN result is the canonical 0x7fffffff. Subnormals are flushed only if the
// opcode says .ftz.
//
// The operations with .approx are computed in float64 and rounded to float32
// once. So they are within the error that the ISA allows, but may differ from any
// particular GPU by rounding.
//
// # What is checked
//
// [Check] says how much is checked. These checks are always made:
//
//   - bounds and use after free of every access: allocations are far apart, so an
//     overrun never lands in a neighbour;
//   - alignment, parameters and launch limits;
//   - divergent barriers, and lanes missing from a shuffle or vote;
//   - an instruction budget, as a watchdog.
//
// [CheckMemory] adds reads of memory and registers that were never written, and barriers
// that wait for threads that have exited. [CheckFull] adds data races in shared and
// global memory.
//
// Two accesses race if all of this is true:
//
//   - they are by different threads and touch a common byte;
//   - one of them writes;
//   - they are not both atomic;
//   - no barrier lies between them, of the block or, between lanes of a warp,
//     bar.warp.sync.
//
// Three rules are stricter than the hardware, on purpose. A shuffle may not read a lane
// that has exited or never existed. A part of a warp may not reach a barrier without the
// rest. Lanes that store to one word race even if
// they store the same value. One thing is not checked: ld.global.nc of memory that the
// same launch writes.
//
// Each finding is a [*Fault] that names kernel, line, block, thread, address and
// allocation.
//
// # What is missing
//
// The package runs what nvcc makes of kernels in plain CUDA C. Such kernels use float,
// double and integers, global and shared arrays of a fixed size, __syncthreads, shuffles
// and votes, in grids of one dimension. testdata/plain.cu has examples. operations.go lists the instructions, access.go the
// loads, stores and atomics. Everything else is a [*SyntaxError] that says what to write
// instead: local and constant memory, variables of a module, fences, volatile accesses,
// jump tables, function calls, half precision, tensor cores.
//
// The instruction budget ends kernels in which a thread waits for another of its warp,
// or a block for a later one.
//
// The instruction set is NVIDIA's "Parallel Thread Execution ISA", versions 6.3 to 9.0.
// Section names in comments are those of that document.
//
// What does not belong here: the kernels of the project and package gpu. This package
// runs any PTX of that kind.
package ptx
