// Package gpu defines the machine that networks run on, as interfaces: devices,
// memory, kernels, convolutions and recorded programs.
//
// A computation is an [Op]. It is either a [Kernel] or a [ConvolutionPass]. Package
// kernels has the kernels, each with one body in Go and one in CUDA. A convolution
// belongs to the library of the device. A layer records the ops of a training step
// once, with a [Recorder]. A [Stream] compiles them into a [Program] and replays it,
// without allocations and without copies between host and device.
//
// Sub-packages implement the interfaces: gpu/cpu runs the Go bodies, gpu/emu interprets
// the PTX of the CUDA bodies, gpu/cuda runs that PTX on an NVIDIA GPU.
//
// What does not belong here: drivers, kernels, and any knowledge of networks. This
// package imports no other package of the project, and only gpu/cuda imports a driver.
package gpu
