// Package cpu is the device that exists on every machine. It runs the Go bodies of the
// kernels on several threads. Convolutions and matrix products come from package native,
// which is Go assembly for amd64, or from gonum's blas32, which runs everywhere. The
// tests compare native with gonum.
//
// Results are bit-identical for any number of threads, and beside other streams. Work
// is divided by shape: a kernel into the blocks of its grid, a convolution into parts of
// the batch, whose filter gradients are summed in order.
//
// What does not belong here: kernels, and any knowledge of networks.
package cpu
