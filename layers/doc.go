// Package layers is the mathematics of networks: what a layer computes forward
// and backward, recorded as kernels and convolutions of whatever device the
// network's stream belongs to.
//
// A network is a chain of two kinds of layer. [Conv] and [Dense] are the linear
// maps, products that belong to the device's convolution library. [Epilogue] is
// all that comes between two of them, batch normalization or a bias, LeakyReLU,
// max pooling and dropout, fused into one pass over memory each way.
//
// A [Network] holds the parameters; [Network.Bind] allocates what a batch of a
// fixed size needs, and the [Batch] it returns records forward, loss and
// backward into programs. Nothing is allocated after that. What estimates of the
// curvature need besides is bound to a batch too: a [Tangent] records the product of
// the loss's Hessian with a direction, a [Recursion] a diagonal.
//
// Layouts and conventions are Keras's: NHWC activations, HWIO filters, [in,
// out] matrices, flattening in (height, width, channel) order.
package layers
