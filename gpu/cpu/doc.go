// Package cpu is the device that is always there: it runs the Go bodies of the
// kernels over a few threads. Convolutions come from package native, Go assembly for
// amd64, or from gonum's blas32, which runs everywhere and is what native is tested
// against.
//
// Work is cut by shape alone, never by the number of threads: a kernel into its
// grid's blocks, a convolution into parts of the batch whose filter gradients are
// summed in order. So a program's results are bit-identical on one thread and on
// eight, alone and beside other streams.
package cpu
