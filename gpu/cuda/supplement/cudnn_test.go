//go:build cuda

package supplement

import (
	"os"
	"slices"
	"testing"

	cudnn "gorgonia.org/cu/dnn"

	"diaghess/gpu/cuda/shim"
)

// TestDescriptorsOfRealCuDNN describes convolutions to a cuDNN that is there: that needs
// no card. CUDNN_LIB must name it, so that the test does not depend on what a machine
// happens to have.
func TestDescriptorsOfRealCuDNN(t *testing.T) {
	if os.Getenv("CUDNN_LIB") == "" {
		t.Skip("SKIPPED: descriptors are not tried against cuDNN itself: set CUDNN_LIB to the libcudnn.so of a whole cuDNN (the JIT wheel has no convolutions) of the headers' major version")
	}
	if err := shim.CuDNN(); err != nil {
		t.Fatal(err)
	}
	t.Logf("cuDNN %s", CuDNNVersion())
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		x      []int // batch, channels, height, width
		out    int
		kernel int
		y      []int
	}{
		{[]int{64, 3, 32, 32}, 32, 3, []int{64, 32, 32, 32}},
		{[]int{16, 2, 5, 7}, 3, 5, []int{16, 3, 5, 7}},
		{[]int{64, 2048, 1, 1}, 512, 1, []int{64, 512, 1, 1}},
		{[]int{1, 1, 1, 3}, 1, 3, []int{1, 1, 1, 3}},
	} {
		for _, math := range []cudnn.MathType{cudnn.FmaMath, cudnn.DefaultMath, cudnn.TensorOpMath} {
			x, err := cudnn.NewTensorDescriptor(cudnn.NHWC, cudnn.Float, c.x, nil)
			must(err)
			w, err := cudnn.NewFilter(cudnn.Float, cudnn.NHWC, []int{c.out, c.x[1], c.kernel, c.kernel})
			must(err)
			padding := []int{c.kernel / 2, c.kernel / 2}
			conv, err := cudnn.NewConvolution(math, 1, padding, []int{1, 1}, []int{1, 1}, cudnn.CrossCorrelation, cudnn.Float)
			must(err)
			y, err := conv.CalcForwardOutputShape(x, w, 2)
			must(err)
			if !slices.Equal(y, c.y) {
				t.Errorf("%v with %d filters of %d: output %v, want %v", c.x, c.out, c.kernel, y, c.y)
			}
			must(DestroyConvolution(conv))
			must(DestroyFilter(w))
			must(DestroyTensor(x))
		}
	}
	// What is wrong is refused with the number and words of the library.
	_, err := cudnn.NewTensorDescriptor(cudnn.NHWC, cudnn.Float, []int{2, -3, 8, 8}, nil)
	if err != cudnn.BadParam {
		t.Errorf("a negative extent: %v, want BadParam", err)
	}
	t.Log(Wrap("describe a tensor", err))
}

// Without a card cuDNN has no context; with one it has.
func TestContextOfRealCuDNN(t *testing.T) {
	if os.Getenv("CUDNN_LIB") == "" {
		t.Skip("SKIPPED: set CUDNN_LIB, see TestDescriptorsOfRealCuDNN")
	}
	if err := shim.Driver(); err == nil {
		t.Skip("there is a card")
	}
	if err := shim.CuDNN(); err != nil {
		t.Fatal(err)
	}
	c, err := NewContext()
	if err == nil {
		t.Fatalf("a context %v without a card", c)
	}
	t.Log(err)
}
