// Package curvature estimates the diagonal of the curvature of a network's loss. The
// curvature is the Hessian, or the Gauss-Newton matrix, which ignores the curvature of
// the network itself and has no negative diagonal entry. Each estimator has a file with
// its formula, its source, what it is exact for and what it ignores.
//
// An estimator records its kernels after those of a training step, see [Estimator]. It
// reads the activations that the step's forward pass left. The loss is the mean over the
// batch, as everywhere.
//
// What does not belong here: update rules, and passes through a network, which are in
// package layers.
package curvature
