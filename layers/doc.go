// Package layers is the mathematics of networks: what a layer computes forward and
// backward, recorded as kernels and convolutions of any device.
//
// A network is a chain of layers. [Conv] and [Dense] are the linear maps, products
// that belong to the device's convolution library. [Epilogue] is all that usually
// comes between two of them, batch normalization or a bias, LeakyReLU, max pooling
// and dropout, fused into one pass over memory each way. [ReLU] stands alone.
//
// A [Network] holds the parameters; [Network.Bind] allocates what a batch of a
// fixed size needs, and the [Batch] it returns records forward, loss and
// backward into programs. Nothing is allocated after that. Estimates of the curvature
// bind more to a batch. A [Tangent] records the product of the loss's Hessian with a
// direction, a [HesScale] a diagonal, [GGNColumns] the exact one of a perceptron.
//
// A layer is one file: it declares its parameters, binds its part of a batch, and
// records its part of each sweep that it has. A sweep's own file, tangent.go,
// hesscale.go or ggn.go, has the interface for that, the walk through the network and
// the loss. Where a layer does not have the sweep, an error names the two. relu.go is the shortest example, and exact/relu.go what tests compare
// it with.
//
// Layouts and conventions are those of Keras: NHWC activations, HWIO filters, [in, out]
// matrices, flattening in (height, width, channel) order.
//
// What does not belong here: arithmetic, which is in package kernels; update rules;
// datasets.
package layers
