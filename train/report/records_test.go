package report

import (
	"diaghess/train/record"
	"encoding/json"
	"errors"
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
	config    string    // what config.json has other than configOf
}

// configOf is the config of a run of so many epochs.
func configOf(optimizer string, seed, epochs int) record.Config {
	return record.Config{
		Job: record.Job{
			Settings: record.Settings{Model: "mlp", Epochs: epochs, Batch: 64, Protocol: record.ProtocolPilot, Augment: record.AugmentNone, Math: "fp32", Endpoint: record.EndpointLast, Average: record.AverageNone},
			Dataset:  "digits", Optimizer: optimizer, Seed: seed,
		},
		OptimizerSettings: map[string]string{}, TrainPictures: 67 * 64, ValPictures: 1000, Parameters: 1605354, Steps: 67 * epochs,
		Device: "cpu", Machine: "m", Algorithms: map[string]string{"out forward": "gemm"}, Build: record.Build{Commit: "abc", Go: "go", Platform: "p"},
	}
}

// writeRuns writes runs into a study's folder as package train does. It returns their rows,
// without what stands beside them, and with metrics that are easier to compute with than
// those of the records: see mustCompareFolders.
func writeRuns(t *testing.T, study string, runs []folderRun) []Row {
	t.Helper()
	var rows []Row
	for _, r := range runs {
		config := configOf(r.optimizer, r.seed, 3)
		if r.status == record.Finished {
			config = configOf(r.optimizer, r.seed, len(r.accuracy))
		}
		if r.config != "" {
			if err := json.Unmarshal([]byte(r.config), &config); err != nil {
				t.Fatal(err)
			}
		}
		if _, settings, ok := strings.Cut(r.optimizer, ":lr="); ok {
			config.OptimizerSettings = map[string]string{"lr": settings}
		}
		var epochs []record.Epoch
		for i, accuracy := range r.accuracy {
			epochs = append(epochs, record.Epoch{Epoch: i + 1, TrainLoss: 2, TrainAcc: 0.25, ValLoss: 1 - accuracy, ValAcc: accuracy, F1: 0.1, Seconds: 0.5})
			e := &epochs[i]
			clean, smoothed := e.TrainLoss/2, e.ValLoss+1
			if config.LabelSmoothing > 0 {
				e.TrainLossClean, e.ValLossSmoothed = &clean, &smoothed
			}
			if config.EvaluateTrain {
				e.EvaluatedTrain = &record.TrainScore{Loss: float64(r.seed) + 1/float64(i+1), LossSmoothed: e.ValLossSmoothed, Acc: 0.5, F1: 0.25}
			}
		}
		final := config.Final(r.status)
		if r.status == record.Diverged {
			final.DivergedAt = 1
		}
		final.Summarize(epochs)
		claimed, err := record.RunOf(study, config.Job).Claim(config)
		if err := errors.Join(err, claimed.WriteEpochs(epochs), claimed.Finish(final, nil)); err != nil {
			t.Fatal(err)
		}
		row := run("digits", r.optimizer, r.seed, 1+float64(len(r.optimizer)+r.seed*r.seed))
		row.Status, row.Source = r.status, filepath.Join(claimed.Folder, "final.json")
		rows = append(rows, row)
	}
	ledger, err := record.OpenLedger(study)
	if err == nil {
		err = errors.Join(ledger.Reconcile(nil), ledger.Close())
	}
	if err != nil {
		t.Fatal(err)
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

// mustCompareFolders compares rows, those of result folders as they are read from there but
// for their metrics.
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
		rows[i].ValLoss, rows[i].ValAcc, rows[i].F1, rows[i].TrainTime = row.ValLoss, row.ValAcc, row.F1, row.TrainTime
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
	config := fmt.Sprintf(`{"optimizer_settings":{"lr":%q}}`, lr)
	return []folderRun{
		{"adamw", 0, record.Finished, []float64{0.2, 0.4, 0.8}, config},
		{"adamw", 1, record.Finished, []float64{0.4, 0.6, 0.8}, config},
		{"adamw", 2, record.Finished, []float64{0.3, 0.5, 0.8}, config},
		{"sgd", 0, record.Finished, []float64{0.4, 0.8, 0.8}, config},
		{"sgd", 1, record.Finished, []float64{0.2, 0.2, 0.2}, config},
		{"sgd", 2, record.Diverged, nil, config},
	}
}

func TestReadFolder(t *testing.T) {
	folder := t.TempDir()
	rows := writeRuns(t, folder, study("0.0010"))
	begin(t, folder, "sgd", 3, 2)
	if err := record.WriteStudy(folder, []record.Job{configOf("adamw", 0, 3).Job, configOf("adamw", 3, 3).Job, configOf("sgd", 3, 3).Job}); err != nil {
		t.Fatal(err)
	}
	fromFile := run("digits", "adamw", 9, 1)
	fromFile.Source = "metrics.csv:2"
	a := mustCompareFolders(t, append(rows, fromFile))

	if len(a.Records.Runs) != 6 || !slices.Equal(a.Records.Folders, []string{folder}) {
		t.Fatalf("%d records of %q, want 6 of %q", len(a.Records.Runs), a.Records.Folders, folder)
	}
	first := a.Records.Runs[0]
	wantSettings := map[string]string{
		"dataset": "digits", "optimizer": "adamw", "seed": "0", "model": "mlp", "epochs": "3", "batch": "64", "steps": "201", "parameters": "1605354",
		"protocol": "pilot", "augment": "none", "math": "fp32", "limit": "0", "label_smoothing": "0", "train_pictures": "4288", "val_pictures": "1000", "test_pictures": "0",
		"optimizer_settings.lr": "0.0010", "algorithms.out forward": "gemm", "build.commit": "abc", "build.go": "go", "build.platform": "p",
		"device": "cpu", "machine": "m", "endpoint": "last", "average": "none", "recalibrate": "0", "schema": "4", "evaluate_train": "false",
	}
	if !reflect.DeepEqual(first.Settings, wantSettings) {
		t.Errorf("settings %v, want %v", first.Settings, wantSettings)
	}
	accuracy := 0.8
	if want := (record.Epoch{Epoch: 3, TrainLoss: 2, TrainAcc: 0.25, ValLoss: 1 - accuracy, ValAcc: accuracy, F1: 0.1, Seconds: 0.5}); len(first.Epochs) != 3 || first.Epochs[2] != want {
		t.Errorf("epochs %+v, the last should be %+v", first.Epochs, want)
	}
	if want := []Missing{{"digits", "adamw", 3, "not begun"}, {"digits", "sgd", 3, "begun, not ended (epoch 2 of 3)"}}; !slices.Equal(a.Records.Missing, want) {
		t.Errorf("missing %v, want %v", a.Records.Missing, want)
	}
	var missing []string
	for _, c := range a.missing() {
		missing = append(missing, c.Text)
	}
	if want := []string{"digits, adamw: not begun, seed 3.", "digits, sgd: begun, not ended (epoch 2 of 3), seed 3."}; !slices.Equal(missing, want) {
		t.Errorf("missing %q, want %q", missing, want)
	}
	if want := "The study is not complete: its records show no end of 2 runs of its last command."; a.Cautions()[0] != want {
		t.Errorf("cautions %q, want %q first", a.Cautions(), want)
	}
	if notes, want := a.notes(a.Comparisons[0]), "Left out: seed 9, sgd missing."; !slices.Contains(notes, want) {
		t.Errorf("notes %q, want %q", notes, want)
	}
	// "# eval" is a comment, and not in the other arm.
	for i := range a.Rows {
		rule := "rule sgd \"\"\n# eval w\nw -= lr * g\n"
		if a.Rows[i].Optimizer != "sgd" {
			rule += "eval w - lr * g\n"
		}
		a.Rows[i].run = &record.Ended{Config: record.Config{Rule: rule}}
	}
	notes := strings.Join(a.ownWeights("digits"), " ")
	if strings.Count(notes, "is evaluated with weights of its own") != 1 || strings.Contains(notes, "sgd is evaluated") {
		t.Errorf("notes %q, want one arm with weights of its own, not sgd", notes)
	}
}

// A run without an end is told where its partner has ended, once. A report of a part of a study
// does not say of the rest that it has no end.
func TestRunsWithoutAnEnd(t *testing.T) {
	folder := t.TempDir()
	writeRuns(t, folder, append(study("1"), folderRun{"adamw", 3, record.Finished, []float64{0.2, 0.5, 0.8}, `{"optimizer_settings":{"lr":"1"}}`}))
	begin(t, folder, "sgd", 3, 1)
	if err := record.WriteStudy(folder, []record.Job{configOf("adamw", 3, 3).Job, configOf("sgd", 0, 3).Job, configOf("sgd", 3, 3).Job}); err != nil {
		t.Fatal(err)
	}
	rows, err := ReadFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	text := render(t, mustCompare(t, rows, "adamw"), Markdown)
	if want := "Left out: seed 3, sgd begun, not ended (epoch 1 of 3)."; strings.Count(text, want) != 1 || strings.Count(text, "not ended") != 1 {
		t.Errorf("no %q, or another line of it, in\n%s", want, text)
	}
	if rows, err = ReadFolder(filepath.Join(folder, "digits", "adamw")); err != nil {
		t.Fatal(err)
	}
	if missing := mustCompare(t, rows, "").Records.Missing; len(missing) != 1 || missing[0].Seed != 3 {
		t.Errorf("of a part: missing %v", missing)
	}
}

// begin writes the records of a run of 3 epochs of which so many have ended.
func begin(t *testing.T, folder, optimizer string, seed, done int) {
	t.Helper()
	config := configOf(optimizer, seed, 3)
	claimed, err := record.RunOf(folder, config.Job).Claim(config)
	epochs := []record.Epoch{{Epoch: 1}, {Epoch: 2}}[:done]
	if err := errors.Join(err, claimed.WriteEpochs(epochs)); err != nil {
		t.Fatal(err)
	}
}

func TestReadFolderErrors(t *testing.T) {
	for _, c := range []struct{ name, file, content, want string }{
		{"half a line", "epochs.jsonl", `{"epoch":1,"val_`, "epochs.jsonl:1 is damaged"},
		{"a metric left out", "final.json", `{"val_loss":1}`, "final.json has no field dataset, optimizer, seed, status, epochs, protocol, build, val_acc, f1, train_time"},
		{"half a record", "epochs.jsonl", `{"epoch":1}`, "epochs.jsonl:1 has no field train_loss"},
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

func TestCautions(t *testing.T) {
	one := t.TempDir()
	if got, want := mustCompareFolders(t, writeRuns(t, one, study("1"))).Cautions(), []string{
		"digits: sgd diverged in 1 of 3 runs (seed 2), which are in no mean."}; !slices.Equal(got, want) {
		t.Errorf("one study: cautions %q, want %q", got, want)
	}

	other := study("2")[:2]
	for i := range other {
		other[i].seed += 10
		other[i].config = `{"model":"resnet20","batch":64,"tuning_trials":4}`
	}
	two := t.TempDir()
	csv := run("digits", "adamw", 20, 1)
	mixed := mustCompareFolders(t, append(append(writeRuns(t, one, study("1")), writeRuns(t, two, other)...), csv))
	const failed = "1 of 8. Of the others it is not known: CSV files list finished runs only."
	if facts := mixed.facts(); !slices.Contains(facts, fact{"Failed runs", failed}) {
		t.Errorf("facts %q have not %q", facts, failed)
	}
	if rows := mixed.forestTables()[0].rows; !slices.ContainsFunc(rows, func(row []string) bool { return row[0] == "adamw" && row[6] == missingNumber }) ||
		!slices.ContainsFunc(rows, func(row []string) bool { return row[0] == "sgd" && strings.HasPrefix(row[6], "1 of ") }) {
		t.Errorf("failures of an arm with a run from a CSV file, and of one without: %q", rows)
	}
	got := mixed.Cautions()
	for _, want := range []string{
		"The runs are from 2 studies: " + joinStrings(distinct([]string{one, two})) + ".",
		"The settings of 1 of 9 runs are not known: CSV files do not have them.",
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
	if slices.ContainsFunc(tables[0].rows, func(row []string) bool { return row[0] == "test pictures" }) {
		t.Errorf("the pilot's protocol, which tests on the validation pictures, has test pictures: %q", tables[0].rows)
	}
	if want := [][]string{{"adamw", "adamw", "lr 0.001", "not recorded"}, {"sgd", "sgd", "lr 0.1", "not recorded"}}; !reflect.DeepEqual(tables[1].rows, want) {
		t.Errorf("optimizers %q, want %q", tables[1].rows, want)
	}
	if want := [][]string{{"gemm", "1: out forward"}}; !reflect.DeepEqual(tables[2].rows, want) {
		t.Errorf("algorithms %q, want %q", tables[2].rows, want)
	}
	if len(tables) != 3 {
		t.Errorf("%d tables, want 3: no arm has a rule file", len(tables))
	}
}

// The text of a rule file is shown once, and its name is short where no other rule has it.
func TestRuleTables(t *testing.T) {
	const text = "rule my \"mine\"\n\tw -= g\n"
	name := "my@" + record.Digest([]byte(text))[:8]
	runs := study("0.001")
	for i := 3; i < 6; i++ {
		runs[i].optimizer = name + ":lr=0.001"
		runs[i].config = strings.Replace(runs[i].config, "{", `{"rule":"rule my \"mine\"\n\tw -= g\n",`, 1)
	}
	a := mustCompareFolders(t, writeRuns(t, t.TempDir(), runs))
	tables := a.setupTables()
	if last := tables[len(tables)-1]; len(tables) != 4 || last.title != "Rule file "+name || !reflect.DeepEqual(last.rows, [][]string{{"1", `rule my "mine"`}, {"2", " w -= g"}}) {
		t.Errorf("%d tables, the last is %+v", len(tables), last)
	}
	if slices.ContainsFunc(tables[0].rows, func(row []string) bool { return row[0] == "rule" }) {
		t.Errorf("the text is among the settings of all runs: %q", tables[0].rows)
	}
	if got := a.name(name + ":lr=0.001"); got != "my" {
		t.Errorf("the arm is called %s", got)
	}
	if text := render(t, a, Markdown); strings.Contains(text, "The runs differ in rule") || !strings.Contains(text, name) {
		t.Errorf("the text of one arm's rule is a difference of all, or its name is missing:\n%s", text)
	}
}
