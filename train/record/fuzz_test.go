package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"testing"
	"testing/fstest"
)

func mustMarshal(t testing.TB, v any) []byte {
	t.Helper()
	content, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// holding is a tree of one file.
func holding(content []byte) *tree { return &tree{fs: fstest.MapFS{"file": {Data: content}}} }

// reader returns what reads a file of one type, and completes it.
func reader[T any](complete func(*T)) func([]byte) (any, Problems) {
	return func(content []byte) (any, Problems) {
		var v T
		_, wrong := holding(content).readFile("file", &v)
		complete(&v)
		return v, wrong
	}
}

// FuzzRecord: whatever a file of a record holds, its reader gives an error, or what comes back
// unchanged after it was written.
func FuzzRecord(f *testing.F) {
	config, damped := configOf("adamw", 3), 3
	config.Schema = Schema
	final := config.Final(Finished)
	final.Test = &TestScore{Acc: 0.5}
	for _, v := range []any{
		config, final, Study{Schema, []Job{config.Job}},
		Epoch{Epoch: 1, ValAcc: 0.5, Parts: &StepParts{Forward: 1}, Curvature: &Curvature{Norm: 1, Damped: &damped}},
		Plan{Datasets: []string{"digits"}, Optimizers: []string{"adamw", "sgd"}, Seeds: []int{1}, Metrics: []string{"f1"}, Metric: "f1", Looks: []int{1}, Notes: []string{"n"}, Test: PlannedTest, Margins: map[string]float64{"f1": 0.1}, Settings: map[string]string{"model": "seedcnn"}},
		Tuned{Settings: config.Settings, Dataset: "digits", Seeds: []int{1}, Metric: "f1", Trials: 1, Device: "cpu", Build: config.Build,
			Optimizers: []TunedOptimizer{{Optimizer: "adamw", Best: "adamw", BestTrial: 1, Space: []Dimension{}, Trials: []Trial{{Trial: 1, Spec: "adamw", Status: Finished, Score: &TrialScore{}}}}}},
	} {
		f.Add(mustMarshal(f, v))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, read := range []func([]byte) (any, Problems){
			func(content []byte) (any, Problems) { return holding(content).plan("file") },
			reader((*Tuned).update), reader((*Config).complete), reader(func(*Study) {}), reader((*Final).complete), reader(func(*Epoch) {}),
		} {
			v, wrong := read(content)
			if wrong != nil {
				continue
			}
			if got, wrong := read(mustMarshal(t, v)); wrong != nil || !bytes.Equal(mustMarshal(t, got), mustMarshal(t, v)) {
				t.Errorf("%+v comes back as %+v, %v", v, got, wrong)
			}
		}
	})
}

// FuzzLedger: whatever a file of a ledger holds, what is read of it is a chain, or named.
func FuzzLedger(f *testing.F) {
	f.Add([]byte(`{"previous":"","time":"2026-01-01T00:00:00Z","event":"planned"}` + "\n" + `{"previous":"`))
	f.Fuzz(func(t *testing.T, content []byte) {
		study := fstest.MapFS{LedgerFolder + "/20260101T000000.000000-00000000.jsonl": {Data: content}}
		h, err := ReadLedger(study, "")
		if err != nil || len(h.Events) > bytes.Count(content, []byte("\n")) {
			t.Fatalf("%d events, %v", len(h.Events), err)
		}
		if _, _, _, err := CheckLedger(study, ""); err != nil {
			t.Error(err)
		}
	})
}

// FuzzCheckpoint: whatever lies before a right checksum, a checkpoint is refused, or its
// header comes back unchanged after it was written.
func FuzzCheckpoint(f *testing.F) {
	const magic = checkpointMagic + checkpointVersion
	config := configOf("adamw", 3)
	config.Schema = Schema
	line := mustMarshal(f, header{Position{Epoch: 1, Batch: 2, Step: 9, Epochs: []Epoch{{Epoch: 1}}}, config})
	for _, body := range []string{"", checkpointMagic, magic + "{}\n", magic + "{\"epoch\":2,\"batch\":-1}\n", magic + string(line) + "\ntensors"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		sum := sha256.Sum256(body)
		h, tensors, err := splitCheckpoint("file", append(body, sum[:]...))
		if err != nil {
			return
		}
		if h.Epoch != len(h.Epochs) || h.Batch < 0 || h.Step < h.Batch {
			t.Errorf("a run goes on from %+v", h.Position)
		}
		var again bytes.Buffer
		if err := h.write(&again, func(w io.Writer) error { _, err := w.Write(tensors); return err }); err != nil {
			t.Fatal(err)
		}
		if got, kept, err := splitCheckpoint("file", again.Bytes()); err != nil || !bytes.Equal(mustMarshal(t, got), mustMarshal(t, h)) || !bytes.Equal(tensors, kept) {
			t.Errorf("%+v comes back as %+v, %v", h, got, err)
		}
	})
}
