// Package ptx reads PTX, the assembly text that nvcc makes of CUDA kernels, and runs it in pure Go.
//
// A [Module] is parsed and checked once: every register has its slot, every label its place, every branch the point where its
// two sides meet again (the immediate post-dominator). A [Kernel] of it runs over a [Memory] with [Kernel.Run]: the 32 lanes of a
// warp go in lockstep under an active mask with a stack of reconvergence points, the warps of a block take turns, and blocks are
// spread over worker goroutines.
//
// # What is exact
//
// add, sub, mul, fma, div, rcp and sqrt with an IEEE rounding (.rn .rz .rm .rp), every cvt, min, max, abs, neg, comparison and
// all integer operations give the bits that the PTX ISA defines. float32 NaN results are the canonical 0x7fffffff. Subnormals are
// flushed only where the opcode says .ftz. The approximate operations (ex2, lg2, rsqrt, rcp, sqrt, sin, cos, tanh with .approx,
// div.approx, div.full) are computed in float64 and rounded to float32 once, so they are within the error that the ISA allows but
// are not the bits of any particular GPU.
//
// # What is checked
//
// [Check] says how much. Always: bounds and use after free of every access (allocations are far apart, so an overrun never lands
// in a neighbour), alignment, parameters, launch limits, divergent barriers, deadlocks, lanes missing from a shuffle or vote, and
// an instruction budget as a watchdog. [CheckMemory] adds reads of memory and registers that were never written and barriers that
// wait for threads that have left; [CheckFull] adds data races in shared and global memory.
// Two accesses race if they are by different threads, touch a common byte, one of them writes, they are not both atomic or volatile,
// and neither a barrier (of the block, or bar.warp.sync between lanes of a warp) nor a chain of fence, atomic, atomic, fence between
// blocks lies between them. Stricter than hardware is, on purpose: a shuffle may not read a lane that has exited or never was, a
// barrier may not be reached by part of a warp even where it is not .aligned, and lanes that all store the same value to one word
// race. Not looked for: ld.global.nc of memory that the same launch writes.
//
// Each finding is a [*Fault] that names kernel, line, block, thread, address and allocation.
//
// # What is not here
//
// Function calls, textures, surfaces, tensor cores, asynchronous copies, clusters, half precision, clocks, add with carry, f64 with
// a rounding other than .rn and atomics on floats are refused when the module is parsed. Threads of one warp that wait for each
// other inside a divergent branch never finish (lanes run in lockstep) and neither do blocks that wait for later blocks; the
// budget ends both.
//
// The instruction set is NVIDIA's "Parallel Thread Execution ISA", versions 6.3 to 9.0; section names in comments are its own.
package ptx
