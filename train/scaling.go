package train

import (
	"math"

	"diaghess/gpu"
	"diaghess/train/data"
)

// scaling is what a run subtracts from the numbers of a set and multiplies them by, an input each;
// null for pictures of bytes. See [kernels.GatherValues].
type scaling struct{ offset, factor gpu.Slice[float32] }

// makeScaling puts the scaling of a run that trains on some rows on its device.
func makeScaling(stream gpu.Stream, set *Resident, train []uint32) (s scaling, err error) {
	if set.images.Len() > 0 {
		return s, nil
	}
	offset, factor := scalingOf(&set.set, train)
	a := gpu.NewArena(stream)
	s.offset, s.factor = gpu.ReserveCopy(a, offset), gpu.ReserveCopy(a, factor)
	if err := a.Allocate(); err != nil {
		return s, err
	}
	return s, stream.Wait()
}

// scalingOf returns the offset and the factor of each input of a set of numbers. They are 0 and 1
// but for data.ScaleTrain. Then they are the mean and 1 over the population standard deviation of
// the rows that the run trains on; 1 for an input that does not vary there, as scikit-learn's
// StandardScaler has it.
func scalingOf(set *data.Set, train []uint32) (offset, factor []float32) {
	n := set.Size()
	offset, factor = make([]float32, n), make([]float32, n)
	for i := range factor {
		factor[i] = 1
	}
	if set.Scale != data.ScaleTrain {
		return offset, factor
	}
	mean, square := make([]float64, n), make([]float64, n)
	for _, row := range train {
		for i, v := range set.Values[int(row)*n:][:n] {
			mean[i] += float64(v)
		}
	}
	for i := range mean {
		mean[i] /= float64(len(train))
	}
	for _, row := range train {
		for i, v := range set.Values[int(row)*n:][:n] {
			d := float64(v) - mean[i]
			square[i] += float64(d * d)
		}
	}
	for i := range mean {
		offset[i] = float32(mean[i])
		// What varies by less than its values are rounded does not vary.
		if deviation := math.Sqrt(square[i] / float64(len(train))); deviation > 1e-6*math.Abs(mean[i]) {
			factor[i] = float32(1 / deviation)
		}
	}
	return offset, factor
}
