package train

import (
	"bytes"
	"errors"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/optim"
)

// Steps of Advance, in pieces across epochs, leave what Train leaves: to the bit.
func TestAdvance(t *testing.T) {
	device, err := cpu.New(cpu.Options{Threads: 1, Library: "gonum"})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	rule, err := optim.Parse("diaghess:curvature=gnb,every=3")
	if err != nil {
		t.Fatal(err)
	}
	job := NewJob(DefaultSettings(), "", rule, 0)
	job.Model, job.Epochs, job.Batch = "mlp", 2, 8
	trained := func(train func(*Trainer) error) []byte {
		var tensors bytes.Buffer
		err := gpu.WithStream(device, func(stream gpu.Stream) error {
			set, err := MakeResident(stream, RandomSet(36, 8, 10)) // 5 steps an epoch
			if err != nil {
				return err
			}
			r, err := New(stream, set, job)
			if err != nil {
				return err
			}
			return errors.Join(train(r), r.WriteTensors(&tensors))
		})
		if err != nil {
			t.Fatal(err)
		}
		return tensors.Bytes()
	}
	whole := trained(func(r *Trainer) error {
		_, err := r.Train(t.Context(), nil, Silent{})
		return err
	})
	pieces := trained(func(r *Trainer) error {
		return errors.Join(r.Advance(t.Context(), 3), r.Advance(t.Context(), 2), r.Advance(t.Context(), 4), r.Advance(t.Context(), 1))
	})
	if !bytes.Equal(whole, pieces) {
		t.Error("10 steps in 4 pieces leave other tensors than 2 epochs")
	}
}
