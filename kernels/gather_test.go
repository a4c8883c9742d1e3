package kernels_test

import (
	"math"
	"slices"
	"testing"

	"diaghess/gpu"
	"diaghess/kernels"
)

// augmenter gathers one picture, whose values are their own places, again and
// again.
type augmenter struct {
	t      *testing.T
	stream gpu.Stream
}

const (
	augmentedExtent  = 11 // height and width: no crop loses the middle or its neighbours
	augmentedPadding = 4
	augmentedValues  = augmentedExtent * augmentedExtent
)

// gather makes rows of a batch, the first of which is a pass's sample. Place i of
// the picture is value i + 1; zero is padding.
func (a augmenter) gather(rows, sample int, pass uint32) []float32 {
	images := make([]uint8, augmentedValues)
	for i := range images {
		images[i] = uint8(i + 1)
	}
	k := &kernels.GatherAugment{
		Images: upload(a, images), Labels: upload(a, []int32{1}), Order: upload(a, make([]uint32, sample+rows)),
		State: upload(a, []uint32{0, 0, uint32(sample), pass}),
		X:     upload(a, make([]float32, rows*augmentedValues)), Y: upload(a, make([]int32, rows)),
		Rows: int32(rows), Height: augmentedExtent, Width: augmentedExtent, Channels: 1, Divisor: 1,
		Padding: augmentedPadding, Flip: 1, Stream: kernels.RandomStream("augment"), Seed: 5,
	}
	k.Host(0, rows)
	return k.X.Host()
}

func upload[T gpu.Element](a augmenter, host []T) gpu.Slice[T] {
	s, err := gpu.Alloc[T](a.stream, len(host))
	check(a.t, err)
	check(a.t, gpu.Upload(a.stream, s, host))
	return s
}

// What becomes of a sample does not depend on the batches that a pass is cut
// into, and differs from pass to pass.
func TestAugmentationIsOfTheSample(t *testing.T) {
	a := augmenter{t, openStream(t, 1)}
	const samples = 24
	whole := a.gather(samples, 0, 3)
	var cut []float32
	for _, rows := range []int{5, 1, 16, 2} {
		cut = append(cut, a.gather(rows, len(cut)/augmentedValues, 3)...)
	}
	if !slices.Equal(cut, whole) {
		t.Error("batches of 5, 1, 16 and 2 rows hold other pictures than one of 24")
	}
	if slices.Equal(a.gather(samples, 0, 4), whole) {
		t.Error("two passes hold the same pictures")
	}
}

// Every place of a crop and both sides of a flip are drawn equally often, and
// independently: their counts are within five standard deviations of the mean,
// which one of the 162 outcomes misses for one seed in 10,000.
func TestAugmentationIsUniform(t *testing.T) {
	a := augmenter{t, openStream(t, 1)}
	const samples, places = 40000, 2*augmentedPadding + 1
	x := a.gather(samples, 0, 0)
	var count [places][places][2]int
	for ; len(x) > 0; x = x[augmentedValues:] {
		const middle = augmentedExtent / 2
		at := middle*augmentedExtent + middle
		place, flipped := int(x[at])-1, 0
		if x[at] > x[at+1] {
			flipped = 1
		}
		dh, dw := place/augmentedExtent-middle, place%augmentedExtent-middle
		count[dh+augmentedPadding][dw+augmentedPadding][flipped]++
	}
	mean := float64(samples) / (places * places * 2)
	for dh := range count {
		for dw := range count[dh] {
			for flipped, n := range count[dh][dw] {
				if math.Abs(float64(n)-mean) > 5*math.Sqrt(mean) {
					t.Errorf("%d of %d samples are moved by (%d, %d) with flip %d, want %.0f", n, samples, dh-augmentedPadding, dw-augmentedPadding, flipped, mean)
				}
			}
		}
	}
}
