package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"diaghess/train/record"
)

// smoothed are runs with label smoothing whose training pictures are evaluated, of three seeds and
// one that diverged.
func smoothed(model string, smoothing float64) (runs []folderRun) {
	config := fmt.Sprintf(`{"model": %q, "label_smoothing": %g, "evaluate_train": true}`, model, smoothing)
	for _, optimizer := range []string{"adamw", "sgd:lr=0.1"} {
		for seed := range 3 {
			runs = append(runs, folderRun{optimizer, seed, record.Finished, []float64{0.25, 0.5, 0.5 + 0.001*float64(seed)}, config})
		}
	}
	return append(runs, folderRun{"adamw", 3, record.Diverged, []float64{0.125}, config})
}

// mustExport reads studies and exports their rows.
func mustExport(t *testing.T, dir string, folders ...string) (rows []Row, paths []string) {
	t.Helper()
	for _, folder := range folders {
		read, err := ReadFolder(folder)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, read...)
	}
	var a *Analysis
	if Varied(rows) == nil {
		a = mustCompare(t, rows, "adamw")
		a.PilotStatistics = true
	}
	paths, err := Export(t.Context(), dir, rows, a)
	if err != nil {
		t.Fatal(err)
	}
	return rows, paths
}

func readRecords(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// Every epoch is in the Parquet file as in its record, bit by bit, under the names that the records
// have; of what a record does not have there is a null.
func TestExportedParquet(t *testing.T) {
	study, dir := t.TempDir(), t.TempDir()
	runs := append(smoothed("mlp", 0.1), folderRun{"sgd:lr=0.1", 3, record.Finished, []float64{0.1, 0.2, 0.3}, `{"evaluate_train": false}`})
	writeRuns(t, study, runs)
	rows, _ := mustExport(t, dir, study)
	read, err := parquet.ReadFile[any](filepath.Join(dir, "epochs.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	for _, row := range read {
		got = append(got, row.(map[string]any))
	}
	place := 0
	for _, r := range rows {
		for _, e := range r.run.Epochs {
			content, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]any{}
			if err := json.Unmarshal(content, &want); err != nil {
				t.Fatal(err)
			}
			if nested, there := want["evaluated_train"].(map[string]any); there {
				delete(want, "evaluated_train")
				for key, value := range nested {
					want["evaluated_train_"+key] = value
				}
			}
			for _, key := range []string{"train_loss_clean", "val_loss_smoothed", "evaluated_train_loss", "evaluated_train_loss_smoothed", "evaluated_train_acc", "evaluated_train_f1"} {
				if _, there := want[key]; !there {
					want[key] = nil
				}
			}
			c := r.run.Config
			for key, value := range map[string]any{"epoch": int64(e.Epoch), "dataset": "digits", "optimizer": r.Optimizer, "spec": c.Optimizer, "model": "mlp",
				"label_smoothing": c.LabelSmoothing, "seed": int64(r.Seed), "status": string(r.Status)} {
				want[key] = value
			}
			for key, value := range want {
				if place < len(got) && fmt.Sprintf("%T %v", got[place][key], got[place][key]) != fmt.Sprintf("%T %v", value, value) {
					t.Errorf("row %d: %s is %v, want %v", place, key, got[place][key], value)
				}
			}
			if place < len(got) && len(got[place]) != len(want) {
				t.Errorf("row %d has the columns of %v, want those of %v", place, got[place], want)
			}
			place++
		}
	}
	if place != len(got) || place != 22 {
		t.Errorf("%d rows, want %d: those of 7 runs of 3 epochs, and one of the run that diverged", len(got), place)
	}
}

// The tables have the means over the finished runs, and the history what Keras calls it.
func TestExportedTables(t *testing.T) {
	study, dir := t.TempDir(), t.TempDir()
	writeRuns(t, study, smoothed("mlp", 0.1))
	_, paths := mustExport(t, dir, study)
	var found []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			found = append(found, path)
		}
		return err
	})
	if slices.Sort(paths); err != nil || !slices.Equal(found, paths) || len(paths) != 6+7+5 {
		t.Errorf("files %q, %v, want %q", found, err, paths)
	}

	column := func(records [][]string, name string, row int) string {
		return records[row][slices.Index(records[0], name)]
	}
	if note, err := os.ReadFile(filepath.Join(dir, exportFile)); err != nil || !strings.Contains(string(note), "val_loss, val_acc and f1 are of the validation pictures, also where results.csv has those of the test set") {
		t.Errorf("%s, %v", note, err)
	}
	results := readRecords(t, filepath.Join(dir, "results.csv"))
	// The training loss after the last of 3 epochs is the seed and 1/3, the accuracy .5, .501 and .502.
	for name, want := range map[string]string{"dataset": "digits", "optimizer": "adamw", "runs": "3", "not_finished": "1", "train_loss_mean": "1.3333333333333333", "train_loss_sd": "1", "train_time_mean": "1.5"} {
		if got := column(results, name, 1); got != want {
			t.Errorf("results: %s is %s, want %s", name, got, want)
		}
	}
	if len(results) != 3 {
		t.Errorf("%d results, want a header and 2 arms", len(results))
	}
	curves := readRecords(t, filepath.Join(dir, "curves.csv"))
	if len(curves) != 1+2*3 {
		t.Errorf("%d rows of curves, want a header and 2 arms of 3 epochs", len(curves))
	}
	for name, want := range map[string]string{"epoch": "2", "runs": "3", "val_acc_mean": "0.5", "val_acc_sd": "0", "val_loss_smoothed_mean": "1.5", "train_loss_mean": "2", "train_loss_clean_mean": "1", "evaluated_train_loss_mean": "1.5"} {
		if got := column(curves, name, 2); got != want {
			t.Errorf("curves: %s is %s, want %s", name, got, want)
		}
	}
	epochs := readRecords(t, filepath.Join(dir, "epochs.csv"))
	if got := []string{column(epochs, "seed", 4), column(epochs, "epoch", 4), column(epochs, "val_acc", 4), column(epochs, "label_smoothing", 4)}; !slices.Equal(got, []string{"1", "1", "0.25", "0.1"}) || len(epochs) != 1+6*3+1 {
		t.Errorf("epochs: %q in %d rows", got, len(epochs))
	}
	var history map[string][]float64
	content, err := os.ReadFile(filepath.Join(dir, "history", "digits", "sgd_lr=0.1", "seed-02.json"))
	if err == nil {
		err = json.Unmarshal(content, &history)
	}
	if want := (map[string][]float64{
		"loss": {2, 2, 2}, "accuracy": {0.25, 0.25, 0.25}, "val_loss": {0.75, 0.5, 0.498}, "val_accuracy": {0.25, 0.5, 0.502}, "loss_clean": {1, 1, 1}, "val_loss_smoothed": {1.75, 1.5, 1.498},
	}); err != nil || fmt.Sprint(history) != fmt.Sprint(want) {
		t.Errorf("history %v, %v, want %v", history, err, want)
	}
	pilot := readRecords(t, filepath.Join(dir, "pilot-statistics.csv"))
	if len(pilot) != 1+4 || column(pilot, "metric", 1) != "train_loss" || column(pilot, "t_stat", 1) != "" { // both arms have the same
		t.Errorf("pilot's statistics %q", pilot)
	}
}

// Studies of several networks and smoothings are a grid: a row for each cell, and a heat map.
func TestExportedGrid(t *testing.T) {
	dir := t.TempDir()
	var folders []string
	for _, model := range []string{"mlp", "mlp:dropout=0.25"} {
		for _, smoothing := range []float64{0.1, 0} {
			folder := t.TempDir()
			writeRuns(t, folder, smoothed(model, smoothing))
			folders = append(folders, folder)
		}
	}
	rows, paths := mustExport(t, dir, folders...)
	if got := Varied(rows); !slices.Equal(got, []string{"dropout", "label_smoothing"}) {
		t.Errorf("varied are %q", got)
	}
	results := readRecords(t, filepath.Join(dir, "results.csv"))
	if len(results) != 1+2*2*2 || !slices.Equal(results[3][:4], []string{"digits", "adamw", "default", "0"}) || !slices.Equal(results[8][:4], []string{"digits", "sgd:lr=0.1", "0.25", "0"}) {
		t.Errorf("results %q", results)
	}
	var names []string
	for _, path := range paths {
		if filepath.Ext(path) == ".png" {
			names = append(names, filepath.Base(path))
		}
	}
	if len(names) != 5 || names[0] != "heatmap-digits-train-loss.png" {
		t.Errorf("figures %q", names)
	}
	if _, err := os.Stat(filepath.Join(dir, "history", "dropout-0-25", "label-smoothing-0-1", "digits", "adamw", "seed-00.json")); err != nil {
		t.Error(err)
	}
	var b strings.Builder
	if err := RenderGrid(&b, rows, Text); err != nil || strings.Count(b.String(), "\n") != 1+1+8 || !strings.Contains(b.String(), "1.3333 ± 1.0000") {
		t.Errorf("%v:\n%s", err, b.String())
	}
	if err := RenderGrid(&b, rows, CSV); err == nil || !strings.Contains(err.Error(), "results.csv") {
		t.Errorf("as CSV: %v", err)
	}
	if _, err := Export(t.Context(), t.TempDir(), append(rows, rows[0]), nil); err == nil || !strings.Contains(err.Error(), "export them apart") {
		t.Errorf("a run twice: %v", err)
	}
	for setting, change := range map[string]func(*record.Config){
		"epochs": func(c *record.Config) { c.Epochs++ }, "protocol": func(c *record.Config) { c.Protocol = record.ProtocolHoldout },
		"endpoint": func(c *record.Config) { c.Endpoint = "mean-last-5" },
	} {
		other := rows[len(rows)-1]
		run := *other.run
		change(&run.Config)
		other.run = &run
		if _, err := Export(t.Context(), t.TempDir(), append(slices.Clone(rows[:len(rows)-1]), other), nil); err == nil || !strings.Contains(err.Error(), " has "+setting+" ") {
			t.Errorf("runs that differ in %s: %v", setting, err)
		}
	}
	unknown := rows[0]
	unknown.run = nil
	if _, err := Export(t.Context(), t.TempDir(), append(slices.Clone(rows[1:]), unknown), nil); err == nil || !strings.Contains(err.Error(), "its network is not known") {
		t.Errorf("a row of a CSV file: %v", err)
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"0.5", "0.25", 1}, {"2", "10", -1}, {"default", "10", 1}} {
		if got := byNumber(c.a, c.b); got != c.want {
			t.Errorf("byNumber(%s, %s) = %d", c.a, c.b, got)
		}
	}
}

// Nothing of others is replaced, and no export is mixed with another.
func TestExportReplacesNothing(t *testing.T) {
	for _, name := range []string{"results.csv", "epochs.parquet", "history", "export.md"} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, name), "mine")
		if err := Exportable(dir); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	study, dir := t.TempDir(), filepath.Join(t.TempDir(), "new")
	writeRuns(t, study, smoothed("mlp", 0.1))
	for range 2 {
		if err := Exportable(dir); err != nil {
			t.Error(err)
		}
		mustExport(t, dir, study)
	}
	other := t.TempDir()
	writeRuns(t, other, smoothed("mlp", 0.1)[:5])
	rows, err := ReadFolder(other)
	if err != nil {
		t.Fatal(err)
	}
	histories := func() int { return len(filesBelow(t, filepath.Join(dir, "history"))) }
	before := histories()
	if _, err := Export(t.Context(), dir, rows, nil); err != nil || histories() >= before {
		t.Errorf("another export in the folder: %v, %d histories, and %d before", err, histories(), before)
	}
	write(t, filepath.Join(dir, "history", "mine.json"), "{}")
	if _, err := Export(t.Context(), dir, rows, nil); err == nil || !strings.Contains(err.Error(), "is not of an export") {
		t.Errorf("a file of one's own in the folder: %v", err)
	}
}

// filesBelow returns the paths of the files in a folder and those in it.
func filesBelow(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// CSV files have no epochs: what is left is the table and its bars.
func TestExportOfCSVFiles(t *testing.T) {
	a := publishedAnalysis(t)
	paths, err := Export(t.Context(), t.TempDir(), a.Rows, a)
	if err != nil || len(paths) != 2+4 {
		t.Fatalf("%q, %v", paths, err)
	}
	results := readRecords(t, paths[1])
	// pandas' means and deviations in the published summary, to 1e-12; see TestPublishedStatistics.
	for i, want := range []float64{0.43316423892974854, 0.02935544002843471} {
		var got float64
		if _, err := fmt.Sscan(results[1][4+i], &got); err != nil || math.Abs(got-want) > 1e-12 {
			t.Errorf("%s is %v, want %v, %v", results[0][4+i], got, want, err)
		}
	}
}
