// Package layers is the mathematics of networks: what a layer computes forward and
// backward, recorded as kernels and convolutions of any device.
//
// A network is a chain of two kinds of layer. [Conv] and [Dense] are the linear maps,
// which the library of the device computes. An [Epilogue] is everything between two of
// them: batch normalization or a bias, LeakyReLU, max pooling and dropout. It is fused
// into one pass over memory in each direction.
//
// A [Network] holds the parameters. [Network.Bind] allocates what a batch of a fixed
// size needs. The [Batch] that it returns records forward, loss and backward into
// programs; nothing is allocated after that. Estimates of the curvature bind more to a
// batch: a [Tangent] records the product of the loss's Hessian with a vector, a
// [Recursion] a diagonal.
//
// Layouts and conventions are those of Keras: NHWC activations, HWIO filters, [in, out]
// matrices, flattening in (height, width, channel) order.
//
// What does not belong here: arithmetic, which is in package kernels; update rules;
// datasets.
package layers
