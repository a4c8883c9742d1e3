package train

import (
	"fmt"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/layers"
	"diaghess/train/data"
)

// Resident is a dataset in device memory, shared by the runs of a study.
type Resident struct {
	name        string
	input       layers.Shape
	classes     int
	divisor     float32
	train, test residentSplit
}

type residentSplit struct {
	pictures int
	images   gpu.Slice[uint8] // [pictures, height, width, channels]
	labels   gpu.Slice[uint8] // [pictures]
}

// MakeResident copies a dataset to the stream's device, for the runs of any
// stream.
func MakeResident(stream gpu.Stream, set *data.Set) (*Resident, error) {
	r := &Resident{
		name:    set.Name,
		input:   layers.Shape{Height: set.Height, Width: set.Width, Channels: set.Channels},
		classes: set.Classes,
		divisor: set.Divisor,
	}
	for _, part := range []struct {
		to   *residentSplit
		from data.Split
	}{{&r.train, set.Train}, {&r.test, set.Test}} {
		part.to.pictures = part.from.Len()
		for _, s := range []struct {
			to   *gpu.Slice[uint8]
			from []uint8
		}{{&part.to.images, part.from.Images}, {&part.to.labels, part.from.Labels}} {
			slice, err := gpu.Alloc[uint8](stream, len(s.from))
			if err != nil {
				return nil, fmt.Errorf("dataset %s on the device: %w", set.Name, err)
			}
			if err := gpu.Upload(stream, slice, s.from); err != nil {
				return nil, fmt.Errorf("dataset %s on the device: %w", set.Name, err)
			}
			*s.to = slice
		}
	}
	return r, stream.Wait()
}

// RandomSet makes a set of pictures of CIFAR's shape with random pixels and labels.
func RandomSet(training, test, classes int) *data.Set {
	split := func(purpose string, n int) data.Split {
		s := data.Split{Images: make([]uint8, n*32*32*3), Labels: make([]uint8, n)}
		stream := kernels.RandomStream("bench/" + purpose)
		for i := 0; i < len(s.Images); i += 4 {
			for j, word := range kernels.Random(0, stream, 0, uint64(i/4)) {
				s.Images[i+j] = uint8(word)
			}
		}
		for i := range s.Labels {
			s.Labels[i] = uint8(kernels.Random(0, stream, 1, uint64(i))[0] % uint32(classes))
		}
		return s
	}
	return &data.Set{
		Name: "random pictures", Height: 32, Width: 32, Channels: 3, Classes: classes, Divisor: 255,
		Train: split("train", training), Test: split("test", test),
	}
}
