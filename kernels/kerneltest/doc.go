// Package kerneltest specifies what every kernel must compute, as a table of cases for
// any device. A case is a kernel at one size on random inputs with a fixed seed. A plain
// transcription of its contract in float64 gives the wanted outputs and bounds their
// float32 error.
//
// Buffers lie between guard words that must survive, outputs are poisoned
// before a run, and inputs must come out as they went in. Tests walk [Cases] on a
// stream of their device; [SelfTest] does so in the program, which is why package
// testing may not come in here.
package kerneltest
