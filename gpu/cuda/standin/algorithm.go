//go:build cuda

package standin

// #include <cudnn.h>
import "C"

import (
	"unsafe"

	"diaghess/gpu"
)

// behaviour is what an algorithm of the heuristics' list is like.
type behaviour int

const (
	works         behaviour = iota
	varies                  // works, but not the same each time
	listedRefusal           // the list says that it is not supported
	sizeRefusal             // asked how much workspace it needs, or made ready, it is not supported
	callRefusal             // not supported when called
	tooLarge                // needs more workspace than anybody has
)

// algorithm is a way to compute a direction, numbered as in cudnn.h.
type algorithm struct {
	number    int32
	behaviour behaviour
}

// algorithms are what the heuristics list, fastest first, for the directions that a
// function computes; backend.go has the other. What works comes late, so that who takes
// what comes first finds out.
var algorithms = map[gpu.Direction][]algorithm{
	gpu.Forward: {
		{C.CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED, sizeRefusal}, {C.CUDNN_CONVOLUTION_FWD_ALGO_FFT, tooLarge},
		{C.CUDNN_CONVOLUTION_FWD_ALGO_GEMM, varies}, {C.CUDNN_CONVOLUTION_FWD_ALGO_DIRECT, listedRefusal},
		{C.CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING, callRefusal}, {C.CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, works},
		{C.CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, works},
	},
	gpu.BackwardData: {
		{C.CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED, sizeRefusal}, {C.CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT, tooLarge},
		{C.CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, varies}, {C.CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD, listedRefusal},
		{C.CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING, callRefusal}, {C.CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, works},
	},
}

// findAlgorithm returns the algorithm of a number.
func findAlgorithm(d gpu.Direction, number int32) (algorithm, bool) {
	for _, a := range algorithms[d] {
		if a.number == number {
			return a, true
		}
	}
	return algorithm{}, false
}

// workspace returns how many bytes an algorithm needs: none for dense layers, an odd
// number of floats for others.
func (a algorithm) workspace(s gpu.ConvolutionShape) int {
	switch {
	case a.behaviour == tooLarge:
		return 1 << 40
	case s.Kernel == 1:
		return 0
	}
	return 4 * (s.Output()/3 | 1)
}

// performance is a line of the heuristics' list, cudnnConvolutionFwdAlgoPerf_t or its
// like.
type performance struct {
	algorithm     int32
	status        status
	milliseconds  float32
	memory        uintptr
	deterministic int32
	math          int32
	reserved      [3]int32
}

// The two structs of cuDNN are as long as ours.
var (
	_ [unsafe.Sizeof(performance{})]byte = [C.sizeof_cudnnConvolutionFwdAlgoPerf_t]byte{}
	_ [unsafe.Sizeof(performance{})]byte = [C.sizeof_cudnnConvolutionBwdDataAlgoPerf_t]byte{}
)

// list fills the heuristics' list for a convolution of the given math. Where TF32 is
// allowed each algorithm is there twice, with and without.
func list(d gpu.Direction, s gpu.ConvolutionShape, math int32, room int) []performance {
	maths := []int32{mathTensor, mathFMA}
	if math == mathFMA {
		maths = []int32{mathFMA}
	}
	var all []performance
	for i, a := range algorithms[d] {
		for _, m := range maths {
			p := performance{algorithm: a.number, milliseconds: float32(i + 1), memory: uintptr(a.workspace(s)), deterministic: 1, math: m}
			switch a.behaviour {
			case varies:
				p.deterministic = 0
			case listedRefusal:
				p.status, p.milliseconds, p.memory = dnnNotSupported, -1, 0
			}
			all = append(all, p)
		}
	}
	return all[:min(room, len(all))]
}
