// Package shim makes the CUDA driver and cuDNN optional at run time. It defines
// every function of the two libraries that gorgonia.org/cu, gorgonia.org/cu/dnn
// and package supplement call, as a jump to the library that [Driver] and [CuDNN]
// open; until then each call returns an error. So a program links without NVIDIA's
// libraries, starts on a machine that has neither, and a test can put its own
// functions behind them.
//
// A program that imports cu or dnn must import this package. The libraries are the
// system's libcuda.so.1 and libcudnn.so.MAJOR, with the major version of the
// headers that the program was built with, or what the environment variables
// CUDA_DRIVER_LIB and CUDNN_LIB name: a file or the folder that it is in.
package shim
