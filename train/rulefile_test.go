package train

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"diaghess/gpu"
	"diaghess/optim"
	"diaghess/train/record"
)

// ruleFile writes a rule file and returns its spec.
func ruleFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "my.rule")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return "rule:" + path
}

const descent = `rule my "gradient descent that remembers the loss"
key lr = 0.05 in (0, inf) log "learning rate"
slot seen = -1
seen = loss
w -= lr * g
`

// A run is evaluated with the weights that its rule has for that, here zero: then all classes are
// equally likely, and the loss is the logarithm of their number. Training goes on with its own.
func TestEvaluationWeightsOfRule(t *testing.T) {
	plainSpec, zeroSpec := ruleFile(t, descent), ruleFile(t, descent+"eval 0 * w\n")
	mlp := func(s *record.Settings) { s.Model, s.Recalibrate, s.Epochs = "mlp", 0, 2 }
	outcome := func(spec string) (tensors []float32, epochs []record.Epoch, test *record.TestScore) {
		withTrainer(t, digitsJob(mlp, spec), func(r *Trainer) error {
			final, err := r.Train(t.Context(), nil, Silent{})
			if err != nil {
				return err
			}
			test, epochs = final.Test, r.Epochs
			tensors, err = tensorsOf(r)
			return err
		})
		return tensors, epochs, test
	}
	plain, plainEpochs, _ := outcome(plainSpec)
	zero, epochs, test := outcome(zeroSpec)
	if !slices.EqualFunc(plain, zero, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
		t.Error("the weights for evaluation change training")
	}
	for i, e := range epochs {
		// The loss of a batch is rounded to float32.
		if want := math.Log(10); math.Abs(e.ValLoss-want) > 1e-6 || math.Abs(test.Loss-want) > 1e-6 || math.Abs(plainEpochs[i].ValLoss-want) < 1e-3 {
			t.Errorf("epoch %d: validation loss %v, test loss %v, want %v; without weights for evaluation %v", i+1, e.ValLoss, test.Loss, want, plainEpochs[i].ValLoss)
		}
		if e.TrainLoss != plainEpochs[i].TrainLoss {
			t.Errorf("epoch %d: training loss %v, want %v", i+1, e.TrainLoss, plainEpochs[i].TrainLoss)
		}
	}
}

// A rule sees the loss of the step's own batch.
func TestLossOfRule(t *testing.T) {
	job := digitsJob(func(s *record.Settings) { s.LabelSmoothing = 0.1 }, ruleFile(t, descent))
	withTrainer(t, job, func(r *Trainer) error {
		for step := range 5 { // of 4 in an epoch
			if err := r.Advance(t.Context(), 1); err != nil {
				return err
			}
			seen := make([]float32, r.network.Values.Len())
			if err := gpu.Download(r.stream, seen, r.optimizer.Slot("seen")); err != nil {
				return err
			}
			losses, err := r.training.losses(r.Batch)
			if err != nil {
				return err
			}
			if want := losses[r.Batch-1]; seen[0] != want || seen[0] < 0.1 {
				t.Errorf("step %d: the rule has seen the loss %v, want %v", step+1, seen[0], want)
			}
		}
		return nil
	})
}

// A run with a rule file goes on from a checkpoint bit-identically: with its slots, and numbers
// that the host carries from step to step.
func TestRuleGoesOn(t *testing.T) {
	job := digitsJob(func(s *record.Settings) { s.Recalibrate = 64 }, "schedulefree:lr=0.01,warmup=1")
	advance := func(r *Trainer, steps int) []float32 {
		if err := r.Advance(t.Context(), steps); err != nil {
			t.Fatal(err)
		}
		var all bytes.Buffer
		if err := r.WriteTensors(&all); err != nil {
			t.Fatal(err)
		}
		tensors, err := tensorsOf(r)
		if err != nil {
			t.Fatal(err)
		}
		return tensors
	}
	var whole []float32
	withTrainer(t, job, func(r *Trainer) error { whole = advance(r, 10); return nil })
	var position record.Position
	var kept bytes.Buffer
	withTrainer(t, job, func(r *Trainer) error {
		advance(r, 6)
		position = r.Position
		return r.WriteTensors(&kept)
	})
	withTrainer(t, job, func(r *Trainer) error {
		if err := r.ReadTensors(&kept); err != nil {
			return err
		}
		r.Position = position
		if parts := advance(r, 4); !slices.Equal(parts, whole) {
			t.Error("another run after a checkpoint")
		}
		return nil
	})
}

func TestEvaluationWeightsAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*record.Settings)
		want   string
	}{
		"averages": {func(s *record.Settings) { s.Average, s.Recalibrate = "ema=0.9", 64 }, "has weights of its own for evaluation, so --average does not fit it"},
		"moving":   {func(s *record.Settings) {}, "are not those of the weights that schedulefree evaluates; give a number of pictures, or leave --recalibrate out for 512"},
		"fine":     {func(s *record.Settings) { s.Recalibrate = 64 }, ""},
		"mlp":      {func(s *record.Settings) { s.Model = "mlp" }, ""},
	} {
		job := digitsJob(c.change, "schedulefree")
		err := Check(job.Settings, describe(t, job.Dataset), []optim.Rule{job.Rule})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	job := digitsJob(func(*record.Settings) {}, "schedulefree")
	if n := DefaultRecalibrate(job.Settings, []optim.Rule{job.Rule}); n != 512 {
		t.Errorf("statistics are recomputed on %d pictures, want 16 batches of 32", n)
	}
}

// A record's own word for it agrees with the language's.
func TestRecordSaysOwnWeights(t *testing.T) {
	own := 0
	for _, name := range optim.FileNames() {
		rule, err := optim.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		if optim.Evaluates(rule) {
			own++
		}
		if config := (record.Config{Rule: optim.Source(rule)}); config.OwnWeights() != optim.Evaluates(rule) {
			t.Errorf("%s has weights of its own for evaluation: the record says %v", name, config.OwnWeights())
		}
	}
	if own == 0 {
		t.Error("no rule has weights of its own")
	}
}
