// Package gpu defines the machine that networks run on, as interfaces: devices,
// memory, kernels, convolutions and recorded programs.
//
// A computation is an [Op]. It is either a [Kernel] or a [ConvolutionPass]. Package
// kernels has the kernels, each with one body in Go and one in CUDA. Other kernels are
// [Sourced]: they bring their PTX along. A convolution belongs to the library of the device. A layer records the ops of a training step
// once, with a [Recorder]. A [Stream] compiles them into a [Program] and replays it,
// without allocations and without copies between host and device.
//
// Sub-packages implement the interfaces: gpu/cpu runs the Go bodies, gpu/emu
// interprets the PTX of the CUDA bodies, gpu/cuda runs it on a GPU, and gpu/devices opens
// one of them by its name. Nothing outside them imports a driver, and this package
// imports nothing of the project.
package gpu
