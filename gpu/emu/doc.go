// Package emu is a device that runs the kernels' PTX without a GPU: package ptx
// interprets it, checks it like a sanitizer and counts what it moves. A kernel
// engineer changes a .cu and finds out on a laptop whether it still computes the
// same function, stays in bounds, has no race, and how many bytes it moves.
//
// Convolutions and dense products are the cpu device's: they belong to a library
// on every device. Memory is the host's, so both see the same buffers.
package emu
