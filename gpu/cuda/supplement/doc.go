// Package supplement adds calls that package cuda needs and that gorgonia.org/cu and
// gorgonia.org/cu/dnn v0.9.6 lack, over their types. They are for graphs, pinned memory,
// profiling, streams of cuDNN, convolution heuristics and workspaces. It also has the
// engines of cuDNN's graph API for the gradient of filters, and errors with number and
// text.
//
// Call every function from an OS thread on which the device's context is current,
// unless its comment says otherwise.
//
// What does not belong here: decisions. Package cuda makes them.
package supplement
