// Package cuda runs networks on an NVIDIA GPU: kernels from PTX through the driver,
// convolutions by cuDNN, a program as a CUDA graph. The build tag cuda includes it, see
// the Makefile. Without the tag the package is empty.
//
// The driver and cuDNN are called through gorgonia.org/cu and gorgonia.org/cu/dnn, both
// unmodified. Package supplement adds the calls that they lack. Package shim finds the
// libraries when the program runs. The folder compat has two headers, with which they
// compile with newer toolkits than they were written for.
//
// The driver keeps a current context for each OS thread. So each stream has its own
// thread, which makes all its calls, and so has the device.
//
// What does not belong here: kernels, and any knowledge of networks.
package cuda
