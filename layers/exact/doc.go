// Package exact computes in float64 what package layers computes on a device, and more.
// It builds the same networks from the same chains of [layers.Layer], as a plain program
// without devices. It is the reference of the kernels' tests, and the exact column of a
// comparison of curvature estimates. It computes:
//
//   - loss, logits and gradient;
//   - the product of the Hessian of the loss with any vector, by the R-operator
//     (Pearlmutter 1994, "Fast exact multiplication by the Hessian"), through
//     training-mode batch normalization;
//   - the diagonal of the Hessian, with a product for each parameter;
//   - the diagonal of the Gauss-Newton matrix, with a backward pass for each logit;
//   - the approximation of that diagonal by HesScale, which a device can
//     compute at every step.
//
// [Network.Forward] makes a [Pass], and the pass makes everything else. The loss is the
// mean over the rows of the batch.
//
// Except for normalization and the loss, the networks are piecewise linear. All
// derivatives are those of the piece that contains the parameters. The derivative of
// LeakyReLU at 0 is its slope. Of equal maxima in a pooling window the first counts.
// [Pass.Decisions] identifies the piece.
//
// What does not belong here: speed, and code that package layers uses.
package exact
