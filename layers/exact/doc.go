// Package exact is the float64 twin of package layers: the same networks, built
// from the same chains of [layers.Layer], as a plain program without devices.
// What package layers computes approximately or cheaply, this one computes in
// full, so it is the oracle that kernels are held against and the exact column
// of a comparison of curvature estimates:
//
//   - loss, logits and gradient;
//   - the product of the Hessian of the loss with any vector, by the R-operator
//     (Pearlmutter 1994, "Fast exact multiplication by the Hessian"), through
//     training-mode batch normalization;
//   - the diagonal of the Hessian, a product for each parameter;
//   - the diagonal of the Gauss-Newton matrix, a backward pass for each logit;
//   - the approximation of that diagonal by HesScale's recursion, which is what a
//     device can afford at every step.
//
// [Network.Forward] makes a [Pass], and the pass all the rest. Everything is of
// the loss as the batch has it, the mean over its rows.
//
// The networks are piecewise linear but for normalization and the loss: all
// derivatives are those of the piece that the parameters are in, with the
// derivative of LeakyReLU at 0 its slope, and the first of equal maxima of a
// pooling window. [Pass.Decisions] tells the piece.
package exact
