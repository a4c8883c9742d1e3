package train

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"diaghess/gpu"
	"diaghess/layers"
	"diaghess/layers/exact"
	"diaghess/train/data"
	"diaghess/train/record"
)

// A run with label smoothing records each loss without it and with it, as the float64 network has
// them. The loss is of order 1, and a product of at most 64 terms in float32 is off by less than
// 65 * 2^-24 of it, in each of 11 layers, for inputs and weights: 1e-4 in all.
func TestLossesWithAndWithoutSmoothing(t *testing.T) {
	const tolerance, smoothing = 1e-4, 0.2
	set, err := data.Load(t.Context(), "", "digits")
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{100, 64} {
		job := digitsJob(func(s *record.Settings) {
			s.Model, s.Epochs, s.Batch, s.LabelSmoothing, s.EvaluateTrain = "mlp", 1, size, smoothing, true
		})
		withTrainer(t, job, func(r *Trainer) error {
			chain, err := layers.Model(job.Model, set.Classes)
			if err != nil {
				return err
			}
			twin, err := exact.New(r.network.Input, chain)
			if err != nil {
				return err
			}
			losses := func(pictures []uint32, masks [][]uint8) (clean, smoothed float64) {
				b := hostBatch(set, nil, nil, pictures)
				batch := exact.Batch{X: exact.Widen(b.X), Labels: b.Labels, Training: masks != nil, Masks: masks}
				clean = twin.Forward(batch).Loss
				batch.Smoothing = smoothing
				return clean, twin.Forward(batch).Loss
			}
			if err := twin.Load(r.network); err != nil { // the weights before the first step
				return err
			}
			if _, err := r.Train(t.Context(), nil, Silent{}); err != nil {
				return err
			}
			e := r.Epochs[0]
			check := func(what string, got, want float64) {
				if !(math.Abs(got-want) <= tolerance) {
					t.Errorf("batches of %d: %s is %v, want %v within %g", size, what, got, want, tolerance)
				}
			}
			if size == 100 { // there was one step, whose masks are still there
				order := epochOrder(r.parts.train, uint64(job.Seed), 0)
				mask := make([]uint8, r.batches[len(order)].Mask.Len())
				if err := gpu.Download(r.stream, mask, r.batches[len(order)].Mask); err != nil {
					return err
				}
				clean, smoothed := losses(order, twin.Masks(mask, len(order)))
				check("training loss", e.TrainLoss, smoothed)
				check("training loss without smoothing", *e.TrainLossClean, clean)
				if math.Abs(smoothed-clean) < 4*tolerance {
					t.Errorf("losses %v and %v are too close to tell which is which", clean, smoothed)
				}
			}
			if err := twin.Load(r.network); err != nil {
				return err
			}
			clean, smoothed := losses(r.parts.train, nil)
			check("evaluated training loss", e.EvaluatedTrain.Loss, clean)
			check("evaluated training loss with smoothing", *e.EvaluatedTrain.LossSmoothed, smoothed)
			clean, smoothed = losses(r.parts.validation, nil)
			check("validation loss", e.ValLoss, clean)
			check("validation loss with smoothing", *e.ValLossSmoothed, smoothed)
			return nil
		})
	}
}

// An evaluation on the training pictures changes nothing else of a run, and without smoothing
// nothing is recorded of it.
func TestEvaluateTrainChangesNothingElse(t *testing.T) {
	train := func(evaluate bool) (epochs []record.Epoch, tensors []float32) {
		withTrainer(t, digitsJob(func(s *record.Settings) { s.EvaluateTrain = evaluate }), func(r *Trainer) error {
			if _, err := r.Train(t.Context(), nil, Silent{}); err != nil {
				return err
			}
			epochs = r.Epochs
			var err error
			tensors, err = tensorsOf(r)
			return err
		})
		return epochs, tensors
	}
	plain, want := train(false)
	evaluated, got := train(true)
	if !slices.Equal(got, want) {
		t.Error("other weights or moving statistics after training")
	}
	for i, e := range evaluated {
		if e.EvaluatedTrain == nil || e.EvaluatedTrain.LossSmoothed != nil || plain[i].EvaluatedTrain != nil {
			t.Errorf("evaluated %+v, and %+v of a run without", e.EvaluatedTrain, plain[i].EvaluatedTrain)
		}
		if e.EvaluatedTrain = nil; record.Different(plain[i], e) != "" || e.TrainLossClean != nil || e.ValLossSmoothed != nil {
			t.Errorf("epoch %d: %s", e.Epoch, record.Different(plain[i], e))
		}
	}
}

// A run with smoothing goes on bit-identically from a checkpoint in the middle of an epoch.
func TestLossesGoOn(t *testing.T) {
	job := digitsJob(func(s *record.Settings) { s.LabelSmoothing, s.Epochs = 0.2, 2 })
	var whole []record.Epoch
	withTrainer(t, job, func(r *Trainer) error {
		_, err := r.Train(t.Context(), nil, Silent{})
		whole = r.Epochs
		return err
	})
	var tensors bytes.Buffer
	var position record.Position
	withTrainer(t, job, func(r *Trainer) error {
		if err := r.Advance(t.Context(), 2); err != nil {
			return err
		}
		position = r.Position
		return r.WriteTensors(&tensors)
	})
	withTrainer(t, job, func(r *Trainer) error {
		if err := r.ReadTensors(&tensors); err != nil {
			return err
		}
		r.Position = position
		_, err := r.Train(t.Context(), nil, Silent{})
		for i, e := range r.Epochs {
			if d := record.Different(whole[i], e); d != "" {
				t.Errorf("epoch %d %s", i+1, d)
			}
		}
		return err
	})
}
