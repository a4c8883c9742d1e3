package kerneltest

import (
	"fmt"

	"diaghess/gpu"
	"diaghess/kernels"
)

// feedCases are the kernels at a step's ends: the batch in, the step counted.
func feedCases() []Case {
	var cases []Case
	for _, size := range [][2]int{{1, 1}, {3, 31}, {31, 3}, {33, 33}, {7, 257}, {257, 1}, {3, 1000}, {5, 3072}, {2, 5001}} {
		for _, divisor := range []float32{1, 255} {
			name := fmt.Sprintf("gather/rows=%d,values=%d,divisor=%g", size[0], size[1], divisor)
			cases = append(cases, Case{name, func(p *placer) gpu.Kernel { return gather(p, size[0], size[1], divisor) }})
		}
	}
	for _, size := range [][2]int{{1, 1}, {3, 11}, {31, 3}, {33, 33}, {7, 257}, {257, 1}, {3, 1000}, {2, 5001}} {
		name := fmt.Sprintf("gather_values/rows=%d,inputs=%d", size[0], size[1])
		cases = append(cases, Case{name, func(p *placer) gpu.Kernel { return gatherValues(p, size[0], size[1]) }})
	}
	// [rows, height, width, channels]: pictures smaller than the padding, of odd
	// sizes, a CIFAR picture, lines longer than a block.
	for _, size := range [][4]int{{9, 1, 1, 1}, {31, 3, 5, 3}, {33, 8, 8, 1}, {7, 31, 33, 2}, {9, 32, 32, 3}, {5, 2, 257, 4}} {
		for _, o := range []augmentation{{}, {flip: true}, {padding: 4}, {flip: true, padding: 1}, {flip: true, padding: 4}, {flip: true, padding: 33}} {
			name := fmt.Sprintf("gather_augment/%dx%dx%dx%d,padding=%d,flip=%t", size[0], size[1], size[2], size[3], o.padding, o.flip)
			cases = append(cases, Case{name, func(p *placer) gpu.Kernel { return gatherAugment(p, size, o) }})
		}
	}
	return append(cases, Case{"advance/rows=33", advance})
}

// feed is pictures in a drawn order, of which a batch takes those from sample
// on.
type feed struct {
	rows, values, sample int
	images               []uint8
	labels               []int32
	order                []uint32
}

func drawFeed(p *placer, rows, values int) *feed {
	pictures := rows + 5
	f := &feed{rows: rows, values: values, sample: 4, images: make([]uint8, pictures*values), labels: make([]int32, pictures)}
	for i := range f.images {
		f.images[i] = uint8(p.random.UintN(256))
	}
	for i := range f.labels {
		f.labels[i] = int32(p.random.UintN(70_000)) // wider than 16 bits
	}
	for _, picture := range p.random.Perm(pictures) {
		f.order = append(f.order, uint32(picture))
	}
	return f
}

// picture returns the values of a batch's row.
func (f *feed) picture(row int) []uint8 {
	return f.images[int(f.order[f.sample+row])*f.values:][:f.values]
}

// targets are the labels of the batch.
func (f *feed) targets() []int32 {
	var y []int32
	for r := range f.rows {
		y = append(y, f.labels[f.order[f.sample+r]])
	}
	return y
}

func gather(p *placer, rows, values int, divisor float32) gpu.Kernel {
	f := drawFeed(p, rows, values)
	var x []number
	for r := range rows {
		for _, v := range f.picture(r) {
			x = append(x, exactly(float32(v)/divisor))
		}
	}
	return &kernels.Gather{
		Images: input(p, "Images", f.images), Labels: input(p, "Labels", f.labels), Order: input(p, "Order", f.order),
		State: input(p, "State", []uint32{99, 98, uint32(f.sample), 97}), X: output(p, "X", x), Y: outputExact(p, "Y", f.targets()),
		Rows: int32(rows), Values: int32(values), Divisor: divisor,
	}
}

// gatherValues takes the pictures of a feed, shifted, as rows of numbers.
func gatherValues(p *placer, rows, inputs int) gpu.Kernel {
	f := drawFeed(p, rows, inputs)
	table, offset, factor := make([]float32, len(f.images)), make([]float32, inputs), make([]float32, inputs)
	for i, v := range f.images {
		table[i] = float32(v)/7 - 20
	}
	for i := range inputs {
		offset[i], factor[i] = float32(p.random.NormFloat64()), float32(p.random.ExpFloat64())
	}
	var x []number
	for r := range rows {
		for i := range inputs {
			// In float64 a difference of such float32 values is exact or rounded far below a
			// float32's last place, so one rounding to float32 is that of the contract.
			v := table[int(f.order[f.sample+r])*inputs+i]
			difference := float32(float64(v) - float64(offset[i]))
			x = append(x, exactly(float32(float64(difference)*float64(factor[i]))))
		}
	}
	return &kernels.GatherValues{
		Table: input(p, "Table", table), Labels: input(p, "Labels", f.labels), Order: input(p, "Order", f.order),
		State:  input(p, "State", []uint32{99, 98, uint32(f.sample), 97}),
		Offset: input(p, "Offset", offset), Factor: input(p, "Factor", factor),
		X: output(p, "X", x), Y: outputExact(p, "Y", f.targets()), Rows: int32(rows), Inputs: int32(inputs),
	}
}

// augmentation is what gather_augment can be told to do.
type augmentation struct {
	padding int
	flip    bool
}

// gatherAugment does what the contract says one thing after the other: pads each
// picture, cuts it, flips it.
func gatherAugment(p *placer, size [4]int, o augmentation) gpu.Kernel {
	rows, height, width, channels := size[0], size[1], size[2], size[3]
	const divisor, seed, stream, pass = 255, 1<<63 + 12345, 1<<31 + 5, 49
	f := drawFeed(p, rows, height*width*channels)
	var x []number
	for r := range rows {
		padded := make([][]uint8, (height+2*o.padding)*(width+2*o.padding)) // pixels
		for i := range padded {
			padded[i] = make([]uint8, channels)
		}
		for h := range height {
			for w := range width {
				padded[(h+o.padding)*(width+2*o.padding)+w+o.padding] = f.picture(r)[(h*width+w)*channels:][:channels]
			}
		}
		words := kernels.Random(seed, stream, pass, uint64(f.sample+r))
		// A word's share of 2^32 is its share of the places.
		places := float64(2*o.padding + 1)
		top, left := int(float64(words[0])/(1<<32)*places), int(float64(words[1])/(1<<32)*places)
		flipped := o.flip && float64(words[2])/(1<<32) >= 0.5
		for h := range height {
			for w := range width {
				from := w
				if flipped {
					from = width - 1 - w
				}
				for _, v := range padded[(top+h)*(width+2*o.padding)+left+from] {
					x = append(x, exactly(float32(v)/divisor))
				}
			}
		}
	}
	k := &kernels.GatherAugment{
		Images: input(p, "Images", f.images), Labels: input(p, "Labels", f.labels), Order: input(p, "Order", f.order),
		State: input(p, "State", []uint32{99, 98, uint32(f.sample), pass}), X: output(p, "X", x), Y: outputExact(p, "Y", f.targets()),
		Rows: int32(rows), Height: int32(height), Width: int32(width), Channels: int32(channels), Divisor: divisor,
		Padding: int32(o.padding), Stream: stream, Seed: seed,
	}
	if o.flip {
		k.Flip = 1
	}
	return k
}

func advance(p *placer) gpu.Kernel {
	return &kernels.Advance{State: updateExact(p, "State", []uint32{5, 6, 7, 8}, []uint32{6, 7, 40, 8}), Rows: 33}
}
