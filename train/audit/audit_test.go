package audit

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"diaghess/gpu/cpu"
	"diaghess/optim"
	"diaghess/train"
	"diaghess/train/record"
	"diaghess/train/study"
)

// smallStudy trains 2 optimizers from 2 seeds, of which one run diverges.
func smallStudy(t *testing.T, changes ...func(*study.Study)) *study.Study {
	t.Helper()
	rules, err := optim.ParseList("adamw,sgd:lr=1e30")
	if err != nil {
		t.Fatal(err)
	}
	s := &study.Study{Settings: train.DefaultSettings(), Datasets: []string{"digits"}, Optimizers: rules, Seeds: []int{0, 1}, Out: t.TempDir(), Device: "cpu", KeepCheckpoints: 1}
	s.Model, s.Epochs, s.Limit = "mlp", 4, 200
	for _, change := range changes {
		change(s)
	}
	if err := s.Run(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// edit replaces a text in a file.
func edit(t *testing.T, path, old, now string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err == nil && !bytes.Contains(content, []byte(old)) {
		t.Fatalf("%q is not in %s", old, path)
	}
	if err == nil {
		err = os.WriteFile(path, bytes.Replace(content, []byte(old), []byte(now), 1), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func audit(t *testing.T, o Options) *Report {
	t.Helper()
	r, err := Run(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// An honest study passes, whole and in parts, and says what can be quoted.
func TestHonest(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	s := smallStudy(t)
	plan, err := record.PlanDigest(os.DirFS(s.Out))
	if err != nil {
		t.Fatal(err)
	}
	whole := audit(t, Options{Study: s.Out, Runs: 4, Plan: plan})
	parts := map[int]bool{}
	for seed := range uint64(8) {
		r := audit(t, Options{Study: s.Out, Runs: 2, Steps: 1, Seed: seed, Plan: plan})
		for _, p := range r.Repetitions {
			parts[p.From] = true
		}
		whole.Repetitions = append(whole.Repetitions, r.Repetitions...)
	}
	if !whole.Sound() || len(whole.Faults)+len(whole.Remarks) > 0 || len(whole.Repetitions) != 4+16 {
		t.Errorf("report %+v", whole)
	}
	for _, p := range whole.Repetitions {
		if p.Outcome != Equal {
			t.Error(p)
		}
	}
	for _, library := range cpu.Libraries() {
		averaged := smallStudy(t, func(s *study.Study) {
			s.Model, s.Protocol, s.Endpoint, s.Average, s.Recalibrate, s.Library = "digitcnn", record.ProtocolHoldout, record.EndpointBest, "ema=0.9", 64, library
		})
		for seed := range uint64(3) {
			for _, p := range audit(t, Options{Study: averaged.Out, Runs: 4, Steps: int(seed), Seed: seed}).Repetitions {
				if p.Outcome != Equal {
					t.Error("of averaged weights and the best epoch, by", library, "convolutions:", p)
				}
			}
		}
	}
	if !parts[0] || !parts[2] {
		t.Errorf("parts began after %v epochs: want 0 and the checkpoint's 2", parts)
	}
	if q := whole.Quote(); !strings.Contains(q, whole.Study+", 4 runs: its files fit together; 20 sampled") || !strings.Contains(q, "20 equal, on cpu") {
		t.Error(q)
	}
}

// Each way to cheat is found, by the files or by the repetition.
func TestForged(t *testing.T) {
	honest := smallStudy(t)
	adamw := filepath.Join("digits", "adamw")
	repeated := Options{Runs: 4}
	for name, c := range map[string]struct {
		options Options
		forge   func(t *testing.T, folder string)
		want    string
	}{
		"final.json": {repeated, func(t *testing.T, folder string) {
			edit(t, filepath.Join(folder, adamw, "seed-00", "final.json"), `"val_loss": `, `"val_loss": 1`)
		}, "seed-00, epochs 1 to 4: different: has val_loss = 1"},
		"a line of epochs.jsonl": {Options{}, func(t *testing.T, folder string) {
			edit(t, filepath.Join(folder, adamw, "seed-00", "epochs.jsonl"), `"train_loss":`, `"train_loss":1`)
		}, "seed-00 is not the record that the ledger has"},
		"a ledger made anew": {repeated, func(t *testing.T, folder string) {
			edit(t, filepath.Join(folder, adamw, "seed-00", "epochs.jsonl"), `"train_loss":`, `"train_loss":1`)
			if err := os.RemoveAll(filepath.Join(folder, record.LedgerFolder)); err != nil {
				t.Fatal(err)
			}
		}, "seed-00, epochs 1 to 4: different: epoch 1: has train_loss = 1"},
		"a diverged run deleted": {Options{}, func(t *testing.T, folder string) {
			if err := os.RemoveAll(filepath.Join(folder, "digits", "sgd_lr=1e+30", "seed-01")); err != nil {
				t.Fatal(err)
			}
		}, "seed-01 diverged, by the ledger"},
		"a seed copied": {repeated, func(t *testing.T, folder string) {
			from, to := filepath.Join(folder, adamw, "seed-00"), filepath.Join(folder, adamw, "seed-01")
			if err := os.RemoveAll(to); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(to, os.DirFS(from)); err != nil {
				t.Fatal(err)
			}
			edit(t, filepath.Join(to, "config.json"), `"seed": 0`, `"seed": 1`)
			edit(t, filepath.Join(to, "final.json"), `"seed": 0`, `"seed": 1`)
		}, "seed-01, epochs 1 to 4: different"},
		"a checkpoint of another seed": {Options{}, func(t *testing.T, folder string) {
			content, err := os.ReadFile(filepath.Join(folder, adamw, "seed-00", "checkpoint-0002"))
			if err == nil {
				err = os.WriteFile(filepath.Join(folder, adamw, "seed-01", "checkpoint-0002"), content, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, "checkpoint-0002 is no checkpoint of this run"},
		"a learning rate, without a ledger": {repeated, func(t *testing.T, folder string) {
			if err := os.RemoveAll(filepath.Join(folder, record.LedgerFolder)); err != nil {
				t.Fatal(err)
			}
			for _, seed := range []string{"seed-00", "seed-01"} {
				edit(t, filepath.Join(folder, adamw, seed, "config.json"), `"lr": "0.001"`, `"lr": "0.01"`)
			}
		}, "adamw/seed-00, epochs 1 to 4: different: this program's optimizer adamw has other settings"},
		"another plan": {Options{Plan: strings.Repeat("0", 64)}, func(*testing.T, string) {}, "the deposited plan 000"},
		"study.json": {Options{}, func(t *testing.T, folder string) {
			edit(t, filepath.Join(folder, "study.json"), `"seed": 0`, `"seed": 7`)
		}, "study.json is not of any plan in the ledger"},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.Study = t.TempDir()
			if err := os.CopyFS(c.options.Study, os.DirFS(honest.Out)); err != nil {
				t.Fatal(err)
			}
			c.forge(t, c.options.Study)
			r := audit(t, c.options)
			var found []string
			for _, f := range r.Faults {
				found = append(found, f.String())
			}
			for _, p := range r.Repetitions {
				found = append(found, p.String())
			}
			if r.Sound() || !strings.Contains(strings.Join(found, "\n"), c.want) {
				t.Errorf("found %q, want %q", found, c.want)
			}
		})
	}
}

// A run that another library computed is not called forged.
func TestElsewhere(t *testing.T) {
	s := smallStudy(t)
	folder := filepath.Join(s.Out, "digits", "adamw", "seed-00")
	edit(t, filepath.Join(folder, "config.json"), `"go": "go`, `"go": "go0.`)
	edit(t, filepath.Join(folder, "epochs.jsonl"), `"train_loss":`, `"train_loss":1`)
	for _, p := range audit(t, Options{Study: s.Out, Runs: 4}).Repetitions {
		want := Equal
		if p.Run == "digits/adamw/seed-00" {
			want = Elsewhere
		}
		if p.Outcome != want {
			t.Errorf("%v, want %s", p, want)
		}
	}
	edit(t, filepath.Join(folder, "config.json"), `"device": "cpu"`, `"device": "cuda:77"`)
	for _, p := range audit(t, Options{Study: s.Out, Runs: 4}).Repetitions {
		if (p.Run == "digits/adamw/seed-00") != (p.Outcome == Elsewhere) {
			t.Error(p)
		}
	}
}

// Runs that are gone are faults, also where all of them are.
func TestRunsAreGone(t *testing.T) {
	s := smallStudy(t)
	if err := os.RemoveAll(filepath.Join(s.Out, "digits")); err != nil {
		t.Fatal(err)
	}
	if r := audit(t, Options{Study: s.Out}); len(r.Faults) != 4 || !strings.Contains(r.Faults[0].String(), "its record is gone") {
		t.Errorf("faults %v, want one for each of 4 runs", r.Faults)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	s := smallStudy(t)
	for want, o := range map[string]Options{
		"5 runs to repeat: the study has 4": {Study: s.Out, Runs: 5},
		"-1 steps":                          {Study: s.Out, Steps: -1},
		"has no run of a study":             {Study: t.TempDir()},
	} {
		if _, err := Run(t.Context(), o, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
