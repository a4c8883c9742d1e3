// Package cpu is the device that is always there: it runs the Go bodies of the
// kernels over a few threads and takes convolutions from oneDNN (build tag
// onednn) or from gonum's blas32.
//
// Work is cut by shape alone, never by the number of threads: a kernel into its
// grid's blocks, a convolution into fixed slices of the batch whose filter
// gradients are summed in order. So the same program gives the same bits on one
// thread or on eight, alone or beside other streams.
package cpu
