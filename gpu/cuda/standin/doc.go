// Package standin is a CUDA driver and a cuDNN without a card, for tests: their
// functions, as far as gpu/cuda and what it is built on call them, over host
// memory. [Start] puts them behind gpu/cuda/shim, so that everything above the
// driver is what runs on a card: gorgonia.org/cu, its arguments, the PTX that the
// program carries, captured graphs, cuDNN's descriptors.
//
// A launch hands the loaded PTX to gpu/emu/ptx, with all its checks; a convolution
// is gpu/cpu's. Device addresses are the interpreter's, which no host pointer has:
// a host that follows one crashes.
//
// # Order
//
// Nothing that is queued on a stream is done before something waits for it: a host
// that reads too early finds the bytes that were there before, or rubbish where the
// copy was asynchronous. What of several streams comes first is drawn from a seed.
// Memory comes filled with rubbish, and a convolution leaves rubbish in its
// workspace, as far as it asked for it.
//
// # Rules
//
// A call that breaks a rule of the driver gets an error status and leaves a line
// among the [Machine]'s violations, which fail the test: calls before cuInit,
// without a current context, with a handle of another context or of something that
// is no more, inside a capture that does not allow them, launches with the wrong
// number of parameters, reads of memory that nobody wrote, frees of memory that
// queued work uses. What is left when the test ends is a leak and fails it too.
//
// Each call can be made to fail, see [Fault]. The same program makes the same calls
// in the same order each time, but for what the garbage collector does.
//
// # What it cannot show
//
// How long anything takes; what the real compiler makes of the PTX; which
// algorithms cuDNN has, and the bits of their results; races within a kernel that
// the interpreter does not look for; limits of a card's registers and memory.
package standin
