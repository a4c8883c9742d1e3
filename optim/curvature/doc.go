// Package curvature estimates the diagonal of the curvature of a network's loss:
// of its Hessian, or of the Gauss-Newton matrix, which leaves out what the
// network itself curves and is never negative. Each estimator has a file with
// its formula, its source, what it is exact for and what it drops.
//
// An estimator records its kernels behind those of a training step, over the
// activations that the step's forward pass has left: see [Estimator]. The loss is
// the mean over the batch, as everywhere.
package curvature
