// Package kerneltest specifies what every kernel must compute, as a table of cases for
// any device. A case is a kernel at one size on random inputs with a fixed seed. A plain
// transcription of its contract in float64 gives the wanted outputs and bounds their
// float32 error.
//
// Buffers lie between guard words that must stay unchanged. Outputs are filled with
// garbage before a run, and inputs must stay unchanged. A test opens a stream of its
// device and calls [Check] for each of [Cases].
//
// What does not belong here: code that a transcription shares with its kernel.
package kerneltest
