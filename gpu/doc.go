// Package gpu is the machine that networks run on: devices, memory, kernels,
// convolutions and recorded programs, as interfaces that say nothing about the
// silicon behind them.
//
// A computation is an [Op]: either a [Kernel], written by hand in package
// kernels with one body in Go and one in CUDA, or a [ConvolutionPass], which
// belongs to the device's convolution library. A layer records the ops of a
// training step once with a [Recorder]; a [Stream] compiles them into a
// [Program] and replays it, without an allocation and without a copy between
// host and device.
//
// Sub-packages implement the interfaces: gpu/cpu runs the Go bodies, gpu/emu
// interprets the PTX of the CUDA bodies, gpu/cuda runs it on a GPU, and gpu/devices opens
// one of them by its name. Nothing outside them imports a driver, and this package
// imports nothing of the project.
package gpu
