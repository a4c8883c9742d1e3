package train

import (
	"context"
	"fmt"

	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/layers"
	"diaghess/train/data"
)

// Resident is a dataset in device memory, whole, shared by the runs of a study. A run uses rows of
// it by their index.
type Resident struct {
	// set is the set without its pictures, which are on the device alone. Its numbers stay, for a
	// run to fit its scaling on.
	set    data.Set
	images gpu.Slice[uint8]   // [rows, height, width, channels], or null
	values gpu.Slice[float32] // likewise; one of the two is null
	labels gpu.Slice[int32]   // [rows]
}

// Load is [data.Shelf.Load]. It returns a [gpu.OutOfMemory] error where the host has too
// little memory for the set.
func Load(ctx context.Context, shelf data.Shelf, name string) (*data.Set, error) {
	set, err := shelf.Describe(name)
	if err != nil {
		return nil, err
	}
	// The official files beside what is made of them.
	if _, err := gpu.CheckProduct(2, int64(set.Train+set.Test), int64(set.Height*set.Width*set.Channels)); err != nil {
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	return shelf.Load(ctx, name)
}

// MakeResident copies a dataset to the stream's device, for the runs of any
// stream.
func MakeResident(stream gpu.Stream, set *data.Set) (*Resident, error) {
	a := gpu.NewArena(stream)
	r := &Resident{set: *set, labels: gpu.ReserveCopy(a, set.Labels)}
	if set.Images != nil {
		r.images, r.set.Images = gpu.ReserveCopy(a, set.Images), nil
	} else {
		r.values = gpu.ReserveCopy(a, set.Values)
	}
	if err := a.Allocate(); err != nil {
		return nil, fmt.Errorf("dataset %s on the device: %w", set.Name, err)
	}
	return r, stream.Wait()
}

// input is the shape of a row.
func (r *Resident) input() layers.Shape { return inputOf(&r.set) }

func inputOf(set *data.Set) layers.Shape {
	return layers.Shape{Height: set.Height, Width: set.Width, Channels: set.Channels}
}

// RandomSet makes a set of pictures of CIFAR's shape with random pixels and labels.
func RandomSet(training, test, classes int) *data.Set {
	const size = 32 * 32 * 3
	set := &data.Set{
		Name: "random pictures", Height: 32, Width: 32, Channels: 3, Classes: classes, Divisor: 255, Testing: test,
		Rows: data.Rows{Images: make([]uint8, (training+test)*size), Labels: make([]int32, training+test)},
	}
	for purpose, rows := range map[string]data.Rows{"train": set.Train(), "test": set.Test()} {
		stream := kernels.RandomStream("bench/" + purpose)
		for i := 0; i < len(rows.Images); i += 4 {
			for j, word := range kernels.Random(0, stream, 0, uint64(i/4)) {
				rows.Images[i+j] = uint8(word)
			}
		}
		for i := range rows.Labels {
			rows.Labels[i] = int32(kernels.Random(0, stream, 1, uint64(i))[0] % uint32(classes))
		}
	}
	return set
}
