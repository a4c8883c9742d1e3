// Package shim makes the CUDA driver and cuDNN optional at run time. A program links
// without NVIDIA's libraries, starts on a machine that has neither, and a test can
// provide its own functions for them.
//
// The package defines every function of the two libraries that gorgonia.org/cu,
// gorgonia.org/cu/dnn and package supplement call. Each is a jump to the library that
// [Driver] and [CuDNN] open. Before that, each call returns an error.
//
// A program that imports cu or dnn must import this package. The libraries are the
// system's libcuda.so.1 and libcudnn.so.MAJOR, where MAJOR is the major version of the
// headers of the build. The environment variables CUDA_DRIVER_LIB and CUDNN_LIB name
// others, each as a file or as its folder.
//
// What does not belong here: anything but finding and calling the two libraries.
package shim
