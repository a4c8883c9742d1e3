//go:build cuda

package standin

import (
	"strings"
	"testing"
	"unsafe"

	"gorgonia.org/cu"
	cudnn "gorgonia.org/cu/dnn"

	"diaghess/gpu/cuda/supplement"
)

// layer is a convolution's handle and descriptors, which the test's end destroys.
type layer struct {
	*bench
	context    *cudnn.Context
	x, y       *cudnn.TensorDescriptor
	w          *cudnn.Filter
	descriptor *cudnn.Convolution
}

// newLayer describes 3x3 convolutions of 1x4x4x1 pictures to 2 channels.
func newLayer(b *bench, s cu.Stream) *layer {
	b.Helper()
	l := &layer{bench: b}
	var err error
	l.context, err = supplement.NewContext()
	b.must(err)
	b.must(supplement.SetStream(l.context, s))
	l.x, err = cudnn.NewTensorDescriptor(cudnn.NHWC, cudnn.Float, []int{1, 1, 4, 4}, nil)
	b.must(err)
	l.y, err = cudnn.NewTensorDescriptor(cudnn.NHWC, cudnn.Float, []int{1, 2, 4, 4}, nil)
	b.must(err)
	l.w, err = cudnn.NewFilter(cudnn.Float, cudnn.NHWC, []int{2, 1, 3, 3})
	b.must(err)
	l.descriptor, err = cudnn.NewConvolution(cudnn.FmaMath, 1, []int{1, 1}, []int{1, 1}, []int{1, 1}, cudnn.CrossCorrelation, cudnn.Float)
	b.must(err)
	b.Cleanup(func() {
		b.must(supplement.DestroyConvolution(l.descriptor))
		b.must(supplement.DestroyFilter(l.w))
		b.must(supplement.DestroyTensor(l.y))
		b.must(supplement.DestroyTensor(l.x))
		b.must(l.context.Close())
	})
	return l
}

// forward queues y = alpha x * w + beta y, from the input on, with a workspace.
func (l *layer) forward(alpha float64, x, w, space cu.DevicePtr, bytes int, beta float64, y cu.DevicePtr) error {
	m := func(p cu.DevicePtr) supplement.Memory { return supplement.Memory(p) }
	return l.context.ConvolutionForward(alpha, l.x, m(x), l.w, m(w), l.descriptor, cudnn.ConvolutionFwdAlgoImplicitPrecompGemm,
		m(space), uintptr(bytes), beta, l.y, m(y))
}

// operands are the tensors of a layer on the card: a picture of ones, filters that are
// 1 and 2 in the middle and 0 elsewhere, and an output of hundreds.
func (l *layer) operands() (x, w, y cu.DevicePtr) {
	l.Helper()
	place := func(values []float32) cu.DevicePtr {
		p := l.alloc(4 * len(values))
		host := l.pinned(len(values))
		copy(host, unsafe.Slice((*uint32)(unsafe.Pointer(&values[0])), len(values)))
		l.must(cu.MemcpyHtoDAsync(p, pointer(host), int64(4*len(values)), l.stream))
		l.must(l.stream.Synchronize())
		return p
	}
	ones, filters, hundreds := make([]float32, 16), make([]float32, 18), make([]float32, 32)
	for i := range ones {
		ones[i] = 1
	}
	filters[4], filters[9+4] = 1, 2
	for i := range hundreds {
		hundreds[i] = 100
	}
	return place(ones), place(filters), place(hundreds)
}

// read copies floats to the host.
func (b *bench) read(p cu.DevicePtr, n int) []float32 {
	b.Helper()
	got := make([]float32, n)
	b.must(cu.MemcpyDtoH(pointer(got), p, int64(4*n)))
	return got
}

func (l *layer) space() (cu.DevicePtr, int) {
	l.Helper()
	bytes, err := supplement.ForwardWorkspace(l.context, l.x, l.w, l.descriptor, l.y, cudnn.ConvolutionFwdAlgoImplicitPrecompGemm)
	l.must(err)
	return l.alloc(bytes), bytes
}

func TestConvolutionForward(t *testing.T) {
	b := newBench(t, Options{})
	l := newLayer(b, b.stream)
	x, w, y := l.operands()
	space, bytes := l.space()
	b.must(l.forward(3, x, w, space, bytes, 0.5, y))
	b.must(b.stream.Synchronize())
	for i, v := range b.read(y, 32) {
		if want := float32(50 + 3*(i%2+1)); v != want {
			t.Errorf("element %d is %v, want %v", i, v, want)
		}
	}
	if left := b.read(space, bytes/4); left[0] == left[0] {
		t.Errorf("the workspace is left with %v", left[0])
	}
}

// What a convolution must not be given.
func TestConvolutionViolations(t *testing.T) {
	for name, c := range map[string]struct {
		words string
		do    func(l *layer, x, w, space, y cu.DevicePtr, bytes int) error
	}{
		"short workspace": {"the algorithm needs", func(l *layer, x, w, space, y cu.DevicePtr, bytes int) error {
			return l.forward(1, x, w, space, bytes-4, 0, y)
		}},
		"workspace in the output": {"overlap", func(l *layer, x, w, _, y cu.DevicePtr, bytes int) error {
			return l.forward(1, x, w, y, bytes, 0, y)
		}},
		"output in the input": {"overlap", func(l *layer, x, w, space, y cu.DevicePtr, bytes int) error {
			return l.forward(1, y, w, space, bytes, 0, y)
		}},
		"short output": {"the output", func(l *layer, x, w, space, y cu.DevicePtr, bytes int) error {
			return l.forward(1, x, w, space, bytes, 0, y+4)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, Options{})
			l := newLayer(b, b.stream)
			x, w, y := l.operands()
			space, bytes := l.space()
			if err := c.do(l, x, w, space, y, bytes); err != cudnn.BadParam {
				t.Errorf("error %v, want BadParam", err)
			}
			b.breaks(c.words)
		})
	}
}

// Two streams at once must not have one workspace: some order shows it.
func TestSharedWorkspace(t *testing.T) {
	found := false
	for seed := uint64(1); seed <= 8 && !found; seed++ {
		t.Run("", func(t *testing.T) {
			b := newBench(t, Options{Seed: seed})
			other, err := cu.MakeStream(cu.NonBlocking)
			b.must(err)
			one, two := newLayer(b, b.stream), newLayer(b, other)
			x, w, y := one.operands()
			y2 := b.alloc(4 * 32)
			space, bytes := one.space()
			for range 4 {
				b.must(one.forward(1, x, w, space, bytes, 0, y))
				b.must(two.forward(1, x, w, space, bytes, 0, y2))
			}
			b.must(b.stream.Synchronize())
			b.must(other.Synchronize())
			for _, v := range b.machine.TakeViolations() {
				if !strings.Contains(v, "overwritten") {
					t.Error(v)
				}
				found = true
			}
			b.must(other.Destroy())
		})
	}
	if !found {
		t.Error("none of the orders shows that two streams share a workspace")
	}
}
