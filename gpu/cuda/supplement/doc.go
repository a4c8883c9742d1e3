// Package supplement adds to gorgonia.org/cu and gorgonia.org/cu/dnn v0.9.6 the
// calls that package cuda needs and they lack, over their types: graphs, pinned
// memory, profiling, convolution heuristics and workspaces, engines of cuDNN's graph
// API for the gradient of filters, streams for cuDNN, and errors with number and text.
//
// Every function must be called from an OS thread on which the device's context is
// current, but for those that say otherwise.
package supplement
