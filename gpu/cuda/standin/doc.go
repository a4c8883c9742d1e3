// Package standin is a stand-in for the CUDA driver and cuDNN that needs no card, for
// tests. It has the functions that gpu/cuda and its dependencies call, and uses host
// memory. [Start] connects them to gpu/cuda/shim. Then all code above the driver is the
// code that runs on a card: gorgonia.org/cu, its arguments, the program's PTX, captured
// graphs, cuDNN's descriptors.
//
// A launch passes the loaded PTX to gpu/emu/ptx, with all its checks. A convolution is
// computed by gpu/cpu. Device addresses are those of the interpreter, which no host
// pointer has: a host that dereferences one crashes.
//
// # Order
//
// Work that is queued on a stream is done only when something waits for it. A host that
// reads too early finds the old bytes, or garbage if the copy was asynchronous. A random
// choice with a fixed seed decides which of several streams comes first. New memory is
// filled with garbage. A convolution leaves garbage in the part of its workspace that it
// asked for.
//
// # Rules
//
// A call that breaks a rule of the driver gets an error status and adds a line to the
// violations of the [Machine], which fail the test. Violations are:
//
//   - calls before cuInit or without a current context;
//   - calls with a handle of another context, or of something that was freed;
//   - calls that a capture does not allow;
//   - launches with the wrong number of parameters;
//   - reads of memory that nobody wrote;
//   - frees of memory that queued work uses;
//   - leaks, which are objects that exist when the test ends.
//
// Each call can be made to fail, see [Fault], also one on a certain card. The same program makes the same calls in
// the same order each time, except for those of the garbage collector.
//
// # Limits
//
// The package cannot show how long anything takes, how the real compiler translates the
// PTX, or which algorithms cuDNN has and how they round. It cannot show races within a
// kernel that the interpreter does not look for, or a card's limits of registers and
// memory.
package standin
