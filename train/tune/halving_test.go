package tune

import (
	"context"
	"diaghess/train"
	"diaghess/train/record"
	"diaghess/train/study"
	"errors"
	"io/fs"
	"os"
	"slices"
	"testing"
)

func TestRungs(t *testing.T) {
	for _, c := range []struct {
		trials, epochs, halving int
		want                    []record.Rung
	}{
		{16, 50, 0, []record.Rung{{Epochs: 50, Trials: 16}}},
		{27, 27, 3, []record.Rung{{Epochs: 1, Trials: 27}, {Epochs: 3, Trials: 9}, {Epochs: 9, Trials: 3}, {Epochs: 27, Trials: 1}}},
		{16, 40, 4, []record.Rung{{Epochs: 3, Trials: 16}, {Epochs: 10, Trials: 4}, {Epochs: 40, Trials: 1}}},
		{5, 10, 2, []record.Rung{{Epochs: 3, Trials: 5}, {Epochs: 5, Trials: 3}, {Epochs: 10, Trials: 2}}},   // few trials
		{64, 3, 2, []record.Rung{{Epochs: 1, Trials: 64}, {Epochs: 2, Trials: 32}, {Epochs: 3, Trials: 16}}}, // few epochs
	} {
		tuning := &Tuning{Trials: c.trials, Halving: c.halving}
		tuning.Epochs = c.epochs
		if got := tuning.rungs(); !slices.Equal(got, c.want) {
			t.Errorf("%d trials, %d epochs, halving %d: %v, want %v", c.trials, c.epochs, c.halving, got, c.want)
		}
	}
}

// Halving stops the worse trials where it should, and those that it does not stop are
// the runs, to the bit, that they are without it.
func TestHalving(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	tuning, whole := halvingTuning(t.TempDir()), halvingTuning(t.TempDir())
	whole.Halving = 0
	halved, _ := runTuning(t, tuning)
	all, _ := runTuning(t, whole)
	for i, o := range halved.Optimizers {
		var epochs []int
		for j, trial := range o.Trials {
			epochs = append(epochs, trial.Epochs)
			want := all.Optimizers[i].Trials[j]
			if finished := trial.Epochs == 4; finished != (trial.Status == record.Finished) || finished != (j+1 == o.BestTrial) ||
				finished && *trial.Score != *want.Score {
				t.Errorf("%s: %+v, score %+v; without halving %+v", trial.Spec, trial, *trial.Score, *want.Score)
			}
			r, complete := tuning.recordOf(&trial, FirstSeed), whole.recordOf(&trial, FirstSeed)
			got, err := r.Epochs()
			if err != nil || len(got) != trial.Epochs {
				t.Errorf("%s: %d epochs, %v: want %d", trial.Spec, len(got), err, trial.Epochs)
			}
			ran, err := complete.Epochs()
			if err != nil {
				t.Fatal(err)
			}
			for k, e := range got {
				if e.TrainLoss != ran[k].TrainLoss || e.ValLoss != ran[k].ValLoss {
					t.Errorf("%s: epoch %d: %+v, without halving %+v", trial.Spec, k+1, e, ran[k])
				}
			}
			if _, err := os.Stat(r.Folder + "/checkpoint"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: its checkpoint is still there: %v", trial.Spec, err)
			}
			// Those that went on were the best so far.
			for _, other := range o.Trials {
				if other.Epochs > trial.Epochs && trial.Epochs == 1 && other.First.ValAcc < trial.First.ValAcc {
					t.Errorf("%s went on and %s, which was better, did not", other.Spec, trial.Spec)
				}
			}
		}
		slices.Sort(epochs)
		if !slices.Equal(epochs, []int{1, 1, 2, 4}) {
			t.Errorf("%s: trials of %v epochs", o.Optimizer, epochs)
		}
	}
}

func TestInterruptedHalvingGoesOnToTheSameBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	twice := func() *Tuning {
		tuning := halvingTuning(t.TempDir())
		tuning.Repeats, tuning.Space = 2, smallRates()
		return tuning
	}
	tuned, want := runTuning(t, twice())
	for _, o := range tuned.Optimizers {
		var epochs []int
		for _, trial := range o.Trials {
			epochs = append(epochs, trial.Epochs)
		}
		slices.Sort(epochs)
		if !slices.Equal(epochs, []int{1, 1, 2, 4}) {
			t.Errorf("%s: trials of %v epochs", o.Label(), epochs)
		}
	}
	for _, steps := range []int{30, 480} { // in the first stage and in the last
		tuning := twice()
		tuning.Parallel = 1
		ctx, cancel := context.WithCancel(t.Context())
		if _, _, err := tuning.Run(ctx, &stopper{steps: steps, stop: cancel}); !errors.Is(err, study.ErrStopped) {
			t.Fatalf("an interrupted tuning returned %v", err)
		}
		cancel()
		if _, got := runTuning(t, tuning); string(got) != string(want) {
			t.Errorf("stopped after %d steps, the result is\n%s\nwant\n%s", steps, got, want)
		}
	}
}

// An observer of a stage is told of the steps of later ones: of 4 trials for an epoch, 2 to the
// second, 1 to the fourth.
func TestStagesKnowWhatComes(t *testing.T) {
	seen := &extents{}
	if _, _, err := halvingTuning(t.TempDir()).Run(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
	if len(seen.all) != 3 {
		t.Fatalf("%d stages", len(seen.all))
	}
	for i, e := range seen.all {
		if n := seen.all[0].Steps; e.Steps != n || n == 0 || e.Later != []int{n, n / 2, 0}[i] {
			t.Errorf("stage %d: %d steps and %d later", i, e.Steps, e.Later)
		}
	}
}

// A trial that diverges in a later stage has its score in an earlier one, so that a tuning
// that goes on sends the same trials on.
func TestTrialThatDivergedLater(t *testing.T) {
	tuning := halvingTuning(t.TempDir())
	trial := record.Trial{Spec: "adamw"}
	r := tuning.recordOf(&trial, FirstSeed)
	if err := os.MkdirAll(r.Folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteEpochs([]record.Epoch{{Epoch: 1, ValAcc: 0.5}, {Epoch: 2, ValAcc: 0.6}}); err != nil {
		t.Fatal(err)
	}
	final := record.Final{
		Dataset: "digits", Optimizer: "adamw", Seed: FirstSeed, Status: record.Diverged, DivergedAt: 1,
		Protocol: record.ProtocolHoldout, Augment: record.AugmentNone, Build: train.ThisBuild(), Endpoint: tuning.Endpoint,
	}
	if err := r.Finish(final, nil); err != nil {
		t.Fatal(err)
	}
	if err := tuning.read(&trial, tuning.Seeds, 2); err != nil || trial.Score == nil || trial.Score.ValAcc != 0.6 {
		t.Errorf("after 2 epochs: %+v, %v", trial, err)
	}
	tuning.Endpoint = "mean-last-2"
	if err := tuning.read(&trial, tuning.Seeds, 2); err != nil || trial.Score.ValAcc != 0.55 {
		t.Errorf("by the mean over 2 epochs: %+v, %v", trial, err)
	}
	if err := tuning.read(&trial, tuning.Seeds, 4); err != nil || trial.Score != nil || trial.Status != record.Diverged {
		t.Errorf("after 4 epochs: %+v, %v", trial, err)
	}
}
