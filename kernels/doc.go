// Package kernels holds every computation that runs on a device, one family a
// file. A kernel is a Go struct: its exported fields, in order, are the
// parameters of the __global__ function that Entry names, Grid is its launch
// geometry, and Host is the same computation in Go, block for block. The CUDA
// body of what FAMILY.go declares is in FAMILY.cu, its PTX in ptx/FAMILY.ptx.
//
// What belongs here is arithmetic on device memory. What does not: products of
// matrices and convolutions (they are the device's library's, see
// [diaghess/gpu.ConvolutionPass]), allocation, and any knowledge of networks.
//
// Rules that every body keeps:
//   - blocks write disjoint memory, and what a block computes depends on its
//     index alone, so the bits do not depend on how many threads a device has;
//   - no floating-point atomics: a sum over blocks takes a second kernel that
//     adds the partial sums in order;
//   - a product that is added is rounded first, float32(a*b) + c, on every
//     device: no fused multiply-add unless the source says so.
//
// On amd64 with AVX2, whole vectors of the bodies that take most time are done by
// assembly (the vector methods, vector*_amd64.go), which package gen writes. Their
// results are bit-identical to those of the scalar loops.
package kernels
