// Package emu is a device that runs the kernels' PTX without a GPU. Package ptx
// interprets it, checks it like a sanitizer, and counts its memory traffic. After a
// change of a .cu file, a laptop can show whether the kernel still computes the same
// function, without accesses out of bounds and without races.
//
// Convolutions and matrix products are those of the device cpu, as they belong to a
// library on every device. Both devices use host memory, so they share buffers.
//
// What does not belong here: kernels, and any knowledge of networks.
package emu
