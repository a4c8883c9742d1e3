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
	return append(cases, Case{"advance/rows=33", advance})
}

func gather(p *placer, rows, values int, divisor float32) gpu.Kernel {
	pictures, sample := rows+5, 4
	images, labels := make([]uint8, pictures*values), make([]uint8, pictures)
	for i := range images {
		images[i] = uint8(p.random.UintN(256))
	}
	for i := range labels {
		labels[i] = uint8(p.random.UintN(256))
	}
	order := make([]uint32, pictures)
	for i, picture := range p.random.Perm(pictures) {
		order[i] = uint32(picture)
	}
	x, y := make([]number, rows*values), make([]int32, rows)
	for r := range rows {
		picture := int(order[sample+r])
		y[r] = int32(labels[picture])
		for i := range values {
			x[r*values+i] = exactly(float32(images[picture*values+i]) / divisor)
		}
	}
	return &kernels.Gather{
		Images: input(p, "Images", images), Labels: input(p, "Labels", labels), Order: input(p, "Order", order),
		State: input(p, "State", []uint32{99, 98, uint32(sample), 0}), X: output(p, "X", x), Y: outputExact(p, "Y", y),
		Rows: int32(rows), Values: int32(values), Divisor: divisor,
	}
}

func advance(p *placer) gpu.Kernel {
	return &kernels.Advance{State: updateExact(p, "State", []uint32{5, 6, 7, 8}, []uint32{6, 7, 40, 8}), Rows: 33}
}
