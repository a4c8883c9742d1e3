package train

import (
	"diaghess/gpu"
	"diaghess/kernels"
	"diaghess/layers"
	"diaghess/train/record"
)

// The augmentations change a training picture each time that it is used. The random
// choice depends on the seed, the epoch and the picture's place in the epoch, so all arms
// of a pair see the same. Evaluation never augments.
const (
	AugmentFlip     = "flip"      // left to right, half of the pictures
	AugmentCrop     = "crop"      // out of CropPadding pixels of zeros on each side
	AugmentFlipCrop = "flip+crop" // both
)

// CropPadding is the most pixels by which a crop moves a picture: CIFAR's usual 4.
const CropPadding = 4

// Augmentations returns the names of the augmentations.
func Augmentations() []string {
	return []string{record.AugmentNone, AugmentFlip, AugmentCrop, AugmentFlipCrop}
}

// gather makes the kernel that puts a pass's pictures, or other rows, into a batch.
func (p *pass) gather(b *layers.Batch) gpu.Kernel {
	shape, divisor := p.set.input(), p.set.set.Divisor
	if p.set.images.IsNull() {
		return &kernels.GatherValues{
			Table: p.set.values, Labels: p.set.labels, Order: p.order, State: p.state, Offset: p.scaling.offset, Factor: p.scaling.factor,
			X: b.X, Y: b.Labels, Rows: int32(b.Size), Inputs: int32(shape.Elements()),
		}
	}
	if p.augment == record.AugmentNone {
		return &kernels.Gather{
			Images: p.set.images, Labels: p.set.labels, Order: p.order, State: p.state, X: b.X, Y: b.Labels,
			Rows: int32(b.Size), Values: int32(shape.Elements()), Divisor: divisor,
		}
	}
	k := &kernels.GatherAugment{
		Images: p.set.images, Labels: p.set.labels, Order: p.order, State: p.state, X: b.X, Y: b.Labels,
		Rows: int32(b.Size), Height: int32(shape.Height), Width: int32(shape.Width), Channels: int32(shape.Channels), Divisor: divisor,
		Stream: kernels.RandomStream("augment"), Seed: p.seed,
	}
	if p.augment != AugmentCrop {
		k.Flip = 1
	}
	if p.augment != AugmentFlip {
		k.Padding = CropPadding
	}
	return k
}
