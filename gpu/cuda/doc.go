// Package cuda runs networks on an NVIDIA GPU: kernels from PTX through the driver,
// convolutions by cuDNN, a program as a CUDA graph. It is built with the tag cuda,
// see the Makefile; without the tag it is empty.
//
// gorgonia.org/cu and gorgonia.org/cu/dnn, unmodified, are the way to the driver and
// cuDNN. Package supplement adds what they lack, package shim finds the libraries when
// the program runs, and compat holds the two headers that let them compile against
// newer toolkits than they were written for.
//
// The driver keeps a current context for each OS thread. Each stream therefore has a
// thread of its own, on which all its calls are made, and so has the device.
package cuda
