// Package kernels has every computation that runs on a device, one family in each file.
//
// A kernel is a Go struct. Its exported fields, in order, are the parameters of the
// __global__ function that Entry names. Grid is its launch geometry. Host is the same
// computation in Go, block by block. FAMILY.go declares the kernels of a family,
// FAMILY.cu has their CUDA bodies, ptx/FAMILY.ptx the PTX.
//
// Every body keeps these rules:
//
//   - Blocks write disjoint memory, and the result of a block depends on its index
//     alone. So results are bit-identical for any number of threads.
//   - There are no floating-point atomics: a sum over blocks takes a second kernel,
//     which adds the partial sums in order.
//   - A product is rounded before it is added, float32(a*b) + c, on every device. There
//     is no fused multiply-add unless the source says so.
//
// On amd64 with AVX2 the slowest bodies process whole vectors in assembly (the vector
// methods, vector*_amd64.go), which the command gen writes. Their results are
// bit-identical to those of the scalar loops.
//
// What does not belong here: matrix products and convolutions, which the library of the
// device computes (see [diaghess/gpu.ConvolutionPass]); allocation; any knowledge of
// networks.
package kernels
