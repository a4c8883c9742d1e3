package train

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/optim"
	"diaghess/train/data"
	"diaghess/train/record"
)

// digitsJob trains a small network with batch normalization and dropout on some digits.
func digitsJob(change func(*record.Settings), optimizer ...string) Job {
	rule, err := optim.Parse(append(optimizer, "adamw:lr=0.01")[0])
	if err != nil {
		panic(err)
	}
	s := DefaultSettings()
	s.Model, s.Epochs, s.Batch, s.Limit, s.Protocol = "digitcnn", 4, 32, 100, record.ProtocolHoldout
	change(&s)
	return NewJob(s, "digits", rule, 1)
}

// withTrainer makes a job's run on the cpu and hands it to a function.
func withTrainer(t *testing.T, job Job, use func(*Trainer) error) {
	t.Helper()
	withTrainerOn(t, data.Shelf{}, job, use)
}

// withTrainerOn is withTrainer on a set of a shelf.
func withTrainerOn(t *testing.T, shelf data.Shelf, job Job, use func(*Trainer) error) {
	t.Helper()
	device, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	err = gpu.WithStream(device, func(stream gpu.Stream) error {
		set, err := shelf.Load(t.Context(), job.Dataset)
		if err != nil {
			return err
		}
		resident, err := MakeResident(stream, set)
		if err != nil {
			return err
		}
		r, err := New(stream, resident, job)
		if err != nil {
			return err
		}
		return use(r)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// tensorsOf are the parameters and moving statistics of a run as they are on the device.
func tensorsOf(r *Trainer) ([]float32, error) {
	all := make([]float32, r.network.Values.Len()+r.network.Moving.Len())
	err := gpu.Download(r.stream, all[:r.network.Values.Len()], r.network.Values)
	if err == nil {
		err = gpu.Download(r.stream, all[r.network.Values.Len():], r.network.Moving)
	}
	return all, err
}

// What is evaluated does not change what is trained: not a bit of the losses in training, of the
// weights, nor of the moving statistics. The outcome on the validation pictures is another.
func TestEvaluationDoesNotChangeTraining(t *testing.T) {
	type outcome struct {
		losses  []float64
		tensors []float32
		epochs  []record.Epoch
	}
	train := func(change func(*record.Settings)) (o outcome) {
		withTrainer(t, digitsJob(change), func(r *Trainer) error {
			if _, err := r.Train(t.Context(), nil, Silent{}); err != nil {
				return err
			}
			for _, e := range r.Epochs {
				o.losses = append(o.losses, e.TrainLoss, e.TrainAcc)
			}
			o.epochs = r.Epochs
			var err error
			o.tensors, err = tensorsOf(r)
			return err
		})
		return o
	}
	plain := train(func(*record.Settings) {})
	for name, change := range map[string]func(*record.Settings){
		"recalibrate 70": func(s *record.Settings) { s.Recalibrate = 70 },
		"average":        func(s *record.Settings) { s.Average, s.Recalibrate = "ema=0.9", 64 },
		"average and best epoch": func(s *record.Settings) {
			s.Average, s.Recalibrate, s.Endpoint = "ema=0.9", 64, record.EndpointBest
		},
	} {
		got := train(change)
		if !slices.Equal(got.losses, plain.losses) {
			t.Errorf("%s: losses in training %v, want %v", name, got.losses, plain.losses)
		}
		if !slices.EqualFunc(got.tensors, plain.tensors, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
			t.Errorf("%s: other weights or moving statistics after training", name)
		}
		if got.epochs[1].ValLoss == plain.epochs[1].ValLoss {
			t.Errorf("%s: validation loss %v as without it", name, plain.epochs[1].ValLoss)
		}
	}
}

// The average is that of the weights after each step in float64. A step rounds a difference, a
// product and a sum: less than three units of 2^-24 of numbers up to twice the largest weight.
// The average forgets what was before, so that errors add up to at most 1 / (1 - decay) steps'.
func TestAverageOfWeights(t *testing.T) {
	const decay, steps = 0.75, 7
	job := digitsJob(func(s *record.Settings) { s.Average, s.Recalibrate = "ema=0.75", 32 })
	withTrainer(t, job, func(r *Trainer) error {
		n := r.network.Values.Len()
		want, largest := make([]float64, n), 0.0
		total := 0.0
		for range steps {
			if err := r.Advance(t.Context(), 1); err != nil {
				return err
			}
			w := make([]float32, n)
			if err := gpu.Download(r.stream, w, r.network.Values); err != nil {
				return err
			}
			total = decay*total + 1
			for i, v := range w {
				want[i] = decay*want[i] + float64(v)
				largest = max(largest, math.Abs(float64(v)))
			}
		}
		got := make([]float32, n)
		if err := gpu.Download(r.stream, got, r.evaluation.average); err != nil {
			return err
		}
		tolerance := 3.0 / (1 << 24) * 2 * largest / (1 - decay)
		for i := range want {
			if d := math.Abs(float64(got[i]) - want[i]/total); !(d <= tolerance) {
				t.Fatalf("average %d is %v, want %v within %.2g", i, got[i], want[i]/total, tolerance)
			}
		}
		return nil
	})
}

// The test set is measured with the weights of the best epoch: those of a run that ends there. The
// rate is so large that the best is not the last.
func TestBestEpochIsTested(t *testing.T) {
	train := func(change func(*record.Settings)) (f record.Final) {
		withTrainer(t, digitsJob(func(s *record.Settings) { s.Limit, s.Batch = 60, 30; change(s) }, "adamw:lr=0.1"), func(r *Trainer) (err error) {
			f, err = r.Train(t.Context(), nil, Silent{})
			return err
		})
		return f
	}
	for _, c := range []struct {
		average     record.Average
		recalibrate int
	}{{record.AverageNone, 0}, {record.AverageNone, 60}, {"ema=0.5", 60}} {
		best := train(func(s *record.Settings) {
			s.Endpoint, s.Epochs, s.Average, s.Recalibrate = record.EndpointBest, 12, c.average, c.recalibrate
		})
		short := train(func(s *record.Settings) {
			s.Epochs, s.Average, s.Recalibrate = best.BestEpoch, c.average, c.recalibrate
		})
		if best.BestEpoch < 1 || best.BestEpoch > 11 || *best.Test != *short.Test || best.ValAcc != short.ValAcc {
			t.Errorf("%v: %+v with %+v, want %+v with %+v, of a run that ends after epoch %d", c, best, best.Test, short, short.Test, best.BestEpoch)
		}
	}
}

// The pictures for the statistics are a function of data set, protocol and limit, are trained
// on, and are not all of one part of the set.
func TestCalibrationPictures(t *testing.T) {
	s := digitsJob(func(s *record.Settings) { s.Limit, s.Recalibrate = 500, 64 }).Settings
	p, err := splitOf(s, describe(t, "digits"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := splitOf(s, describe(t, "digits"))
	if err != nil || !slices.Equal(p.calibration, again.calibration) || len(p.calibration) != 64 {
		t.Errorf("pictures %v and %v, %v: want the same 64", p.calibration, again.calibration, err)
	}
	beyond := 0
	for _, i := range p.calibration {
		if !slices.Contains(p.train, i) {
			t.Errorf("picture %d is not trained on", i)
		}
		if i > p.train[250] {
			beyond++
		}
	}
	if beyond < 16 || beyond > 48 {
		t.Errorf("%d of 64 pictures are of the second half", beyond)
	}
}

func TestEvaluationSettingsAreChecked(t *testing.T) {
	for want, change := range map[string]func(*record.Settings){
		"endpoint best-val under protocol pilot":      func(s *record.Settings) { s.Endpoint, s.Protocol = record.EndpointBest, record.ProtocolPilot },
		`endpoint "best" is unknown: give last, best`: func(s *record.Settings) { s.Endpoint = "best" },
		`average "ema=2" is unknown: give none, or`:   func(s *record.Settings) { s.Average = "ema=2" },
		"recalibrate -1: give a number":               func(s *record.Settings) { s.Recalibrate = -1 },
		"the model mlp has no batch normalization":    func(s *record.Settings) { s.Model, s.Recalibrate = "mlp", 64 },
		"recalibrate 0: the moving statistics":        func(s *record.Settings) { s.Average = "ema=0.9" },
		"on 31 pictures: give at least a batch, 32":   func(s *record.Settings) { s.Recalibrate = 31 },
		"on 101 pictures: the run trains on 100":      func(s *record.Settings) { s.Recalibrate = 101 },
		"on 65 pictures in batches of 32 leave":       func(s *record.Settings) { s.Recalibrate = 65 },
	} {
		if err := Check(digitsJob(change).Settings, describe(t, "digits"), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	for _, change := range []func(*record.Settings){
		func(s *record.Settings) { s.Recalibrate = 100 },
		func(s *record.Settings) { s.Model, s.Average = "mlp", "ema=0.9" },
		func(s *record.Settings) { s.Batch, s.Recalibrate = 4000, 100 },
	} {
		if err := Check(digitsJob(change).Settings, describe(t, "digits"), nil); err != nil {
			t.Error(err)
		}
	}
}

// A run goes on bit-identically from a checkpoint that has an average and a best epoch.
func TestEvaluationGoesOn(t *testing.T) {
	job := digitsJob(func(s *record.Settings) { s.Average, s.Recalibrate, s.Endpoint = "ema=0.9", 64, record.EndpointBest })
	var whole, parts string
	results := func(r *Trainer, f record.Final) string {
		var tensors bytes.Buffer
		if err := r.WriteTensors(&tensors); err != nil {
			t.Fatal(err)
		}
		digest, err := record.Results(r.Epochs, f)
		return fmt.Sprintf("%s %v %x", digest, err, record.Digest(tensors.Bytes()))
	}
	withTrainer(t, job, func(r *Trainer) error {
		f, err := r.Train(t.Context(), nil, Silent{})
		whole = results(r, f)
		return err
	})
	var tensors bytes.Buffer
	var position record.Position
	withTrainer(t, job, func(r *Trainer) error {
		r.Until = 2
		if _, err := r.Train(t.Context(), nil, Silent{}); err != nil {
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
		f, err := r.Train(t.Context(), nil, Silent{})
		parts = results(r, f)
		return err
	})
	if parts != whole {
		t.Errorf("in two parts a run gives %s, want %s", parts, whole)
	}
}

// describe describes a set of the catalogue.
func describe(t *testing.T, name string) data.Status {
	set, err := data.Describe(name)
	if err != nil {
		t.Fatal(err)
	}
	return set
}
