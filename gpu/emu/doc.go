// Package emu is a device that runs the kernels' PTX without a GPU. Package ptx
// interprets it, checks it like a sanitizer, and counts its memory traffic. So after a
// change of a .cu file a laptop can show whether the kernel still computes the same
// function, stays in bounds and has no race, and how many bytes it moves.
//
// Convolutions and matrix products are those of the device cpu, as they belong to a
// library on every device. Both devices use host memory, so they share buffers.
//
// What does not belong here: kernels, and any knowledge of networks.
package emu
