//go:build cuda

package supplement

// #include <cudnn.h>
import "C"

import (
	cudnn "gorgonia.org/cu/dnn"
)

// Algorithm is what the heuristics say of one way to compute a direction of a
// convolution.
type Algorithm struct {
	ID            int // of cudnn.ConvolutionFwdAlgo or its like
	Workspace     int // bytes
	Deterministic bool
	Math          cudnn.MathType
}

// mostAlgorithms is more than any direction has.
const mostAlgorithms = 16

// ForwardAlgorithms returns what can compute y = x * w, what is expected to be
// fastest first.
func ForwardAlgorithms(c *cudnn.Context, x *cudnn.TensorDescriptor, w *cudnn.Filter, conv *cudnn.Convolution, y *cudnn.TensorDescriptor) ([]Algorithm, error) {
	var n C.int
	var found [mostAlgorithms]C.cudnnConvolutionFwdAlgoPerf_t
	if err := cudnnError("cudnnGetConvolutionForwardAlgorithm_v7", C.cudnnGetConvolutionForwardAlgorithm_v7(
		contextOf(c), tensorOf(x), filterOf(w), convolutionOf(conv), tensorOf(y), mostAlgorithms, &n, &found[0])); err != nil {
		return nil, err
	}
	var all []Algorithm
	for _, f := range found[:n] {
		if f.status == C.CUDNN_STATUS_SUCCESS {
			all = append(all, Algorithm{int(f.algo), int(f.memory), f.determinism == C.CUDNN_DETERMINISTIC, cudnn.MathType(f.mathType)})
		}
	}
	return all, nil
}

// BackwardDataAlgorithms returns what can compute the gradient dx from w and dy.
func BackwardDataAlgorithms(c *cudnn.Context, w *cudnn.Filter, dy *cudnn.TensorDescriptor, conv *cudnn.Convolution, dx *cudnn.TensorDescriptor) ([]Algorithm, error) {
	var n C.int
	var found [mostAlgorithms]C.cudnnConvolutionBwdDataAlgoPerf_t
	if err := cudnnError("cudnnGetConvolutionBackwardDataAlgorithm_v7", C.cudnnGetConvolutionBackwardDataAlgorithm_v7(
		contextOf(c), filterOf(w), tensorOf(dy), convolutionOf(conv), tensorOf(dx), mostAlgorithms, &n, &found[0])); err != nil {
		return nil, err
	}
	var all []Algorithm
	for _, f := range found[:n] {
		if f.status == C.CUDNN_STATUS_SUCCESS {
			all = append(all, Algorithm{int(f.algo), int(f.memory), f.determinism == C.CUDNN_DETERMINISTIC, cudnn.MathType(f.mathType)})
		}
	}
	return all, nil
}

// ForwardWorkspace and BackwardDataWorkspace return the bytes of scratch memory that an
// algorithm needs with the descriptors as they are.
func ForwardWorkspace(c *cudnn.Context, x *cudnn.TensorDescriptor, w *cudnn.Filter, conv *cudnn.Convolution, y *cudnn.TensorDescriptor, a cudnn.ConvolutionFwdAlgo) (int, error) {
	var bytes C.size_t
	err := cudnnError("cudnnGetConvolutionForwardWorkspaceSize", C.cudnnGetConvolutionForwardWorkspaceSize(
		contextOf(c), tensorOf(x), filterOf(w), convolutionOf(conv), tensorOf(y), C.cudnnConvolutionFwdAlgo_t(a), &bytes))
	return int(bytes), err
}

// BackwardDataWorkspace is ForwardWorkspace for the gradient of the input.
func BackwardDataWorkspace(c *cudnn.Context, w *cudnn.Filter, dy *cudnn.TensorDescriptor, conv *cudnn.Convolution, dx *cudnn.TensorDescriptor, a cudnn.ConvolutionBwdDataAlgo) (int, error) {
	var bytes C.size_t
	err := cudnnError("cudnnGetConvolutionBackwardDataWorkspaceSize", C.cudnnGetConvolutionBackwardDataWorkspaceSize(
		contextOf(c), filterOf(w), tensorOf(dy), convolutionOf(conv), tensorOf(dx), C.cudnnConvolutionBwdDataAlgo_t(a), &bytes))
	return int(bytes), err
}
