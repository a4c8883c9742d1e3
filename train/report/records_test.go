package report

import (
	"diaghess/train/record"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// folderRun is a run to be written into a result folder.
type folderRun struct {
	optimizer string
	seed      int
	status    record.Status
	accuracy  []float64 // of each epoch, of which each takes 0.5 s
	config    string    // config.json
}

// writeRuns writes runs into a study's folder as package train does, as far as this
// package reads them, and returns their rows, without what stands beside them.
func writeRuns(t *testing.T, study string, runs []folderRun) []Row {
	t.Helper()
	var rows []Row
	for _, r := range runs {
		folder := filepath.Join(study, "digits", strings.ReplaceAll(r.optimizer, ":", "_"), fmt.Sprintf("seed-%02d", r.seed))
		var epochs strings.Builder
		for i, accuracy := range r.accuracy {
			fmt.Fprintf(&epochs, `{"epoch":%d,"train_loss":2,"train_acc":0.25,"val_loss":%g,"val_acc":%g,"f1":0.1,"seconds":0.5}`+"\n", i+1, 1-accuracy, accuracy)
		}
		write(t, filepath.Join(folder, "epochs.jsonl"), epochs.String())
		write(t, filepath.Join(folder, "config.json"), r.config)
		row := run("digits", r.optimizer, r.seed, 1+float64(len(r.optimizer)+r.seed*r.seed))
		row.Status, row.Source = r.status, filepath.Join(folder, "final.json")
		writeFinal(t, row)
		rows = append(rows, row)
	}
	return rows
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// writeFinal writes the end of a run where its row says that it is from.
func writeFinal(t *testing.T, row Row) {
	t.Helper()
	final, err := json.Marshal(record.Final{
		Dataset: row.Dataset, Optimizer: row.Optimizer, Seed: row.Seed, Status: row.Status, Protocol: record.ProtocolPilot,
		ValLoss: row.ValLoss, ValAcc: row.ValAcc, F1: row.F1, TrainTime: row.TrainTime,
	})
	if err != nil {
		t.Fatal(err)
	}
	write(t, row.Source, string(final))
}

// mustCompareFolders compares rows, those of result folders as they are read from there.
func mustCompareFolders(t *testing.T, rows []Row) *Analysis {
	t.Helper()
	rows = slices.Clone(rows)
	for i, row := range rows {
		if filepath.Base(row.Source) != "final.json" {
			continue
		}
		read, err := ReadFolder(studyOf(row))
		if err != nil {
			t.Fatal(err)
		}
		place := slices.IndexFunc(read, func(r Row) bool { return r.Source == row.Source })
		if place < 0 {
			t.Fatalf("%s was not read", row.Source)
		}
		rows[i] = read[place]
		for other := range i { // one study, read several times
			if rows[other].study != nil && rows[other].study.Folder == rows[i].study.Folder {
				rows[i].study = rows[other].study
				break
			}
		}
	}
	return mustCompare(t, rows, "")
}

// studyOf returns the study's folder of a row.
func studyOf(row Row) string { return filepath.Join(filepath.Dir(row.Source), "..", "..", "..") }

// study is two arms of three seeds, of which one run diverged before its first epoch
// had ended.
func study(lr string) []folderRun {
	config := func(optimizer string) string {
		return fmt.Sprintf(`{"dataset":"digits","optimizer":%q,"seed":1,"model":"mlp","batch":64,"steps":200,"parameters":1605354,"protocol":"seed",`+
			`"optimizer_settings":{"lr":%q},"algorithms":{"out forward":"gemm"},"build":{"commit":"abc"}}`, optimizer, lr)
	}
	return []folderRun{
		{"adamw", 0, record.Finished, []float64{0.2, 0.4, 0.8}, config("adamw")},
		{"adamw", 1, record.Finished, []float64{0.4, 0.6, 0.8}, config("adamw")},
		{"adamw", 2, record.Finished, []float64{0.3, 0.5, 0.8}, config("adamw")},
		{"sgd", 0, record.Finished, []float64{0.4, 0.8, 0.8}, config("sgd")},
		{"sgd", 1, record.Finished, []float64{0.2, 0.2, 0.2}, config("sgd")},
		{"sgd", 2, record.Diverged, nil, config("sgd")},
	}
}

func TestReadFolder(t *testing.T) {
	folder := t.TempDir()
	rows := writeRuns(t, folder, study("0.0010"))
	write(t, filepath.Join(folder, "study.json"), `{"jobs":[{"dataset":"digits","optimizer":"adamw","seed":0},{"dataset":"digits","optimizer":"adamw","seed":3},{"dataset":"digits","optimizer":"sgd","seed":3}]}`)
	fromFile := run("digits", "adamw", 9, 1)
	fromFile.Source = "metrics.csv:2"
	a := mustCompareFolders(t, append(rows, fromFile))

	if len(a.Records.Runs) != 6 || !slices.Equal(a.Records.Folders, []string{folder}) {
		t.Fatalf("%d records of %q, want 6 of %q", len(a.Records.Runs), a.Records.Folders, folder)
	}
	first := a.Records.Runs[0]
	wantSettings := map[string]string{"dataset": "digits", "optimizer": "adamw", "seed": "1", "model": "mlp", "batch": "64", "steps": "200", "parameters": "1605354",
		"protocol": "pilot", "optimizer_settings.lr": "0.0010", "algorithms.out forward": "gemm", "build.commit": "abc"}
	if !reflect.DeepEqual(first.Settings, wantSettings) {
		t.Errorf("settings %v, want %v", first.Settings, wantSettings)
	}
	accuracy := 0.8
	if want := (record.Epoch{Epoch: 3, TrainLoss: 2, TrainAcc: 0.25, ValLoss: 1 - accuracy, ValAcc: accuracy, F1: 0.1, Seconds: 0.5}); len(first.Epochs) != 3 || first.Epochs[2] != want {
		t.Errorf("epochs %+v, the last should be %+v", first.Epochs, want)
	}
	if want := []Missing{{"digits", "adamw", 3}, {"digits", "sgd", 3}}; !slices.Equal(a.Records.Missing, want) {
		t.Errorf("missing %v, want %v", a.Records.Missing, want)
	}
	missing := a.missingSection().paragraphs
	for _, want := range []string{
		"digits, adamw: planned, and not ended, seed 3.", "digits, sgd: planned, and not ended, seed 3.",
		"digits, sgd: diverged, seed 2.", "digits, sgd: missing, seed 9.",
	} {
		if !slices.Contains(missing, want) {
			t.Errorf("no line %q in %q", want, missing)
		}
	}
}

func TestReadFolderErrors(t *testing.T) {
	for _, c := range []struct{ name, file, content, want string }{
		{"half a line", "epochs.jsonl", `{"epoch":1,"val_`, "epochs.jsonl:1 is damaged"},
		{"a gap", "epochs.jsonl", `{"epoch":1}` + "\n" + `{"epoch":3}`, "epochs.jsonl:2 is damaged: it is of epoch 3"},
		{"NaN", "epochs.jsonl", `{"epoch":1,"val_loss":NaN}`, "epochs.jsonl:1 is damaged"},
		{"half a config", "config.json", `{"batch":`, "config.json is damaged"},
		{"half a plan", "../../../study.json", `{"jobs":[`, "study.json is damaged"},
	} {
		rows := writeRuns(t, t.TempDir(), study("1"))
		write(t, filepath.Join(filepath.Dir(rows[1].Source), c.file), c.content)
		_, err := ReadFolder(studyOf(rows[1]))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v does not say %q", c.name, err, c.want)
		}
	}
}

// Rows whose folder holds nothing but the end of the run are records of nothing.
func TestReadBareFolder(t *testing.T) {
	row := run("digits", "adamw", 0, 1)
	row.Source = filepath.Join(t.TempDir(), "digits", "adamw", "seed-00", "final.json")
	writeFinal(t, row)
	a := mustCompareFolders(t, []Row{row})
	if r := a.Records.Runs; len(r) != 1 || r[0].Epochs != nil || r[0].Settings != nil {
		t.Errorf("records %+v", r)
	}
	if s := a.targetSection(); len(s.tables) > 0 {
		t.Errorf("a race without epochs: %+v", s)
	}
}

func TestCautions(t *testing.T) {
	one := t.TempDir()
	if got, want := mustCompareFolders(t, writeRuns(t, one, study("1"))).Cautions(), []string{
		"digits: sgd diverged in 1 run (seed 2). The comparison is over what both arms finished, which flatters it."}; !slices.Equal(got, want) {
		t.Errorf("one study: cautions %q, want %q", got, want)
	}

	other := study("2")[:2]
	for i := range other {
		other[i].seed += 10
		other[i].config = `{"model":"resnet20","batch":64,"tuning_trials":4}`
	}
	two := t.TempDir()
	csv := run("digits", "adamw", 20, 1)
	got := mustCompareFolders(t, append(append(writeRuns(t, one, study("1")), writeRuns(t, two, other)...), csv)).Cautions()
	for _, want := range []string{
		"The runs are from 2 studies: " + joinStrings(distinct([]string{one, two})) + ".",
		"1 of the 9 runs are from files that say nothing of their settings.",
		"The runs differ in model: mlp: 6 runs; resnet20: 2 runs.",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no caution %q in %q", want, got)
		}
	}

	uneven := study("1")
	for i := range uneven {
		uneven[i].config = fmt.Sprintf(`{"tuning_trials":%d}`, map[string]int{"adamw": 4, "sgd": 16}[uneven[i].optimizer])
	}
	a := mustCompareFolders(t, writeRuns(t, t.TempDir(), uneven))
	if want := "The runs differ in tuning trials: 16: sgd; 4: adamw."; !slices.Contains(a.Cautions(), want) {
		t.Errorf("no caution %q in %q", want, a.Cautions())
	}
	if a.trials("adamw") != "4" || a.trials("sgd") != "16" {
		t.Errorf("trials %s and %s, want 4 and 16", a.trials("adamw"), a.trials("sgd"))
	}
}

func TestSetupTables(t *testing.T) {
	runs := study("0.001")
	for i := 3; i < 6; i++ {
		runs[i].config = strings.ReplaceAll(runs[i].config, "0.001", "0.1")
	}
	tables := mustCompareFolders(t, writeRuns(t, t.TempDir(), runs)).setupTables()
	if want := []string{"batch", "64"}; !slices.ContainsFunc(tables[0].rows, func(row []string) bool { return slices.Equal(row, want) }) {
		t.Errorf("no row %q in %q", want, tables[0].rows)
	}
	if want := [][]string{{"adamw", "lr 0.001", "not recorded"}, {"sgd", "lr 0.1", "not recorded"}}; !reflect.DeepEqual(tables[1].rows, want) {
		t.Errorf("optimizers %q, want %q", tables[1].rows, want)
	}
	if want := [][]string{{"gemm", "1: out forward"}}; !reflect.DeepEqual(tables[2].rows, want) {
		t.Errorf("algorithms %q, want %q", tables[2].rows, want)
	}
}
