package study

import (
	"diaghess/train/record"
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"
)

// TestEmulatedStudyLeavesTheSameRecord trains small networks on the device that
// interprets the PTX and on the cpu. Counts and settings must be equal, losses
// within what the rounding of the two bodies of a few kernels can do.
//
// Products are the cpu's on both devices, and all kernels give the same bits but
// those that call expf and logf (softmax_cross_entropy) and those that sum in
// another order (batchnorm_stats, epilogue_reduce). In
// units u = 2^-24 of float32's rounding:
//
//   - A row's loss, log(sum exp(z - max)) - (z_label - max), is off by 4 u of
//     each exponential, 9 u of the sum of 10 of them and 4 u of the logarithm, in
//     all less than 32 u where it is below 3: reading.
//   - A gradient begins with softmax's probabilities, off by 4 + 9 + 1 u, on each
//     of the devices: less than 32 u. So for the perceptron, whose other kernels
//     are exact.
//   - A sum of n terms is off by 8 sqrt(n) u of their size (see
//     kerneltest.total), at the n <= 16 x 8 x 8 of the pilot's network by 256 u.
//     It has 8 normalizations, summed forward and backward: 16 independent
//     errors, which add up in quadrature to 1024 u. That holds the other 32 u.
//
// What a relative error of the gradients does to the losses after some steps, the
// run itself tells: a learning rate that is larger by a factor of 1 + 1e-3 makes
// every step larger as gradients that are off by 1e-3 would, and the effect is in
// proportion as long as it is small. So an epoch's losses may differ by reading
// and by a part of what that planted error does to one of them at most: the
// gradients' error over 1e-3. The planted error itself is out of these bounds.
func TestEmulatedStudyLeavesTheSameRecord(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	const u, planted = 1.0 / (1 << 24), 1e-3
	const reading = 32 * u
	for _, c := range []struct {
		model                string
		epochs, limit, batch int
		optimizer, wrong     string // wrong has the rate with the planted error
		gradients            float64
		average              record.Average // with statistics from 32 pictures
	}{
		{"mlp", 2, 128, 32, "adamw", "adamw:lr=0.001001", 32 * u, record.AverageNone},
		{"mlp", 2, 128, 32, "diaghess", "diaghess:lr=1.001e-6", 32 * u, record.AverageNone},
		{"pilotcnn", 1, 64, 16, "adamw", "adamw:lr=0.001001", 1024 * u, record.AverageNone},
		{"digitcnn", 1, 64, 16, "adamw", "adamw:lr=0.001001", 1024 * u, "ema=0.5"},
	} {
		t.Run(fmt.Sprintf("%s/%s/%s", c.model, c.optimizer, c.average), func(t *testing.T) {
			run := func(device, optimizer string) (record.Config, []record.Epoch, record.Final) {
				s := smallStudy(t.TempDir())
				s.Model, s.Epochs, s.Limit, s.Batch = c.model, c.epochs, c.limit, c.batch
				s.Optimizers, s.Seeds, s.Device = rules(optimizer), []int{0}, device
				if s.Average = c.average; s.Average != record.AverageNone {
					s.Recalibrate = 32
				}
				if err := s.Run(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				return readRun(t, s)
			}
			config, want, end := run("cpu", c.optimizer)
			emuConfig, got, emuEnd := run("emu", c.optimizer)
			_, off, _ := run("cpu", c.wrong)

			emuConfig.Device, emuConfig.Machine = config.Device, config.Machine
			if !reflect.DeepEqual(emuConfig, config) {
				t.Errorf("the settings are %+v on the emulator, %+v on the cpu", emuConfig, config)
			}
			if emuEnd.ValLoss != got[c.epochs-1].ValLoss {
				t.Errorf("the run ended with loss %v, its last epoch with %v", emuEnd.ValLoss, got[c.epochs-1].ValLoss)
			}
			emuEnd.ValLoss, emuEnd.TrainTime = end.ValLoss, end.TrainTime
			if !reflect.DeepEqual(emuEnd, end) {
				t.Errorf("the run ended with %+v on the emulator, %+v on the cpu", emuEnd, end)
			}
			if len(got) != c.epochs || len(want) != c.epochs {
				t.Fatalf("%d and %d epochs in the records, want %d", len(got), len(want), c.epochs)
			}
			for i, w := range want {
				g := got[i]
				if g.TrainAcc != w.TrainAcc || g.ValAcc != w.ValAcc || g.F1 != w.F1 {
					t.Errorf("epoch %d counts %+v on the emulator, %+v on the cpu", i+1, g, w)
				}
				effect := max(math.Abs(off[i].TrainLoss-w.TrainLoss), math.Abs(off[i].ValLoss-w.ValLoss))
				tolerance := reading + c.gradients/planted*effect
				if effect <= tolerance {
					t.Errorf("epoch %d: the planted error moves a loss by %.2g only, tolerance %.2g", i+1, effect, tolerance)
				}
				for what, losses := range map[string][2]float64{"train_loss": {g.TrainLoss, w.TrainLoss}, "val_loss": {g.ValLoss, w.ValLoss}} {
					if d := math.Abs(losses[0] - losses[1]); d > tolerance {
						t.Errorf("epoch %d: %s is %v on the emulator, %v on the cpu: off by %.2g, tolerance %.2g", i+1, what, losses[0], losses[1], d, tolerance)
					}
				}
			}
		})
	}
}

// readRun reads the record of a study's only run.
func readRun(t *testing.T, s *Study) (c record.Config, epochs []record.Epoch, f record.Final) {
	t.Helper()
	jobs, err := s.Jobs()
	if err != nil {
		t.Fatal(err)
	}
	r := record.RunOf(s.Out, jobs[0].Job)
	c, _, errConfig := r.Config()
	epochs, errEpochs := r.Epochs()
	f, _, errFinal := r.Final()
	if err := errors.Join(errConfig, errEpochs, errFinal); err != nil {
		t.Fatal(err)
	}
	return c, epochs, f
}
