package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"diaghess/optim"
	"diaghess/train"
	"diaghess/train/data"
	"diaghess/train/lock"
	"diaghess/train/record"
	"diaghess/train/study"
)

// runReport runs `diaghess report` with arguments.
func runReport(arguments ...string) (stdout, stderr string, err error) {
	var out, log strings.Builder
	app := &cli.App{
		Name: "diaghess", Writer: &out, ErrWriter: &log,
		Commands: []*cli.Command{reportCommand()},
	}
	err = app.Run(append([]string{"diaghess", "report"}, arguments...))
	return out.String(), log.String(), err
}

// published returns the path of one of the published files.
func published(name string) string {
	return filepath.Join("..", "..", "train", "report", "pilot", name)
}

func TestReportOfPublishedFiles(t *testing.T) {
	files, err := filepath.Glob(published("*.csv"))
	if err != nil || len(files) != 6 {
		t.Fatalf("files %q, %v", files, err)
	}
	out := filepath.Join(t.TempDir(), "tables")
	stdout, stderr, err := runReport(append(files, "--format", "markdown", "--out", out)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"### cifar10: Custom against Baseline", "### cifar100: Custom against Baseline", "0.4332 ± 0.0294", "−1.67 %", "+76.353", "n = 20 pairs, seeds 0–19"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in:\n%s", want, stdout)
		}
	}
	if n := strings.Count(stdout, " agrees: all of its "); n != 4 {
		t.Errorf("%d files agree, want the 2 summaries and 2 tests:\n%s", n, stdout)
	}
	if markdown, err := os.ReadFile(filepath.Join(out, "report.md")); err != nil || string(markdown) != stdout {
		t.Errorf("report.md is not what was printed: %v", err)
	}
	for _, name := range []string{"metrics.csv", "summary.csv", "ttest.csv", "comparisons.csv", "report.md", "index.html"} {
		if path := filepath.Join(out, name); !strings.Contains(stderr, "wrote "+path+"\n") {
			t.Errorf("%s is not announced in:\n%s", path, stderr)
		}
	}

	again, _, err := runReport(filepath.Join(out, "metrics.csv"), filepath.Join(out, "summary.csv"), filepath.Join(out, "ttest.csv"))
	if err != nil || strings.Count(again, " agrees: all of its ") != 2 {
		t.Errorf("the written files, read again: %v\n%s", err, again)
	}
}

// A folder that holds somebody's files is left alone, and a name for it is needed.
func TestReportOut(t *testing.T) {
	metrics := published("cifar10_adam_optimizer_metrics.csv")
	dir := t.TempDir()
	page := filepath.Join(dir, "index.html")
	if err := os.WriteFile(page, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := runReport(metrics, "--out", dir); err == nil || !strings.Contains(err.Error(), page) || !strings.Contains(err.Error(), "--force") {
		t.Errorf("somebody's page: %v", err)
	}
	if content, _ := os.ReadFile(page); string(content) != "mine" {
		t.Error("it was replaced")
	}
	for _, flags := range [][]string{{"--force"}, nil} { // then it is a report
		if _, _, err := runReport(append([]string{metrics, "--out", dir}, flags...)...); err != nil {
			t.Errorf("%v: %v", flags, err)
		}
	}
	if _, _, err := runReport(metrics, "--out", ""); err == nil || !strings.Contains(err.Error(), "--out") {
		t.Errorf("an empty name: %v", err)
	}
}

// A report of other runs is replaced with --force only, and says what it removes. What a killed one left
// goes unless another process is at work in the folder.
func TestReportOverAnother(t *testing.T) {
	first, second := published("cifar10_adam_optimizer_metrics.csv"), published("cifar100_adam_optimizer_metrics.csv")
	dir := t.TempDir()
	if _, _, err := runReport(first, "--out", dir, "--png"); err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(dir, "index.html")
	before, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	stdout, _, err := runReport(second, "--out", dir)
	if after, _ := os.ReadFile(page); err == nil || !strings.Contains(err.Error(), "the report of other runs") || !strings.Contains(err.Error(), "--force") || stdout != "" || string(after) != string(before) {
		t.Errorf("a report of other runs: %v, with the output %q", err, stdout)
	}
	left := filepath.Join(dir, ".index.html-1639009981")
	if err := os.WriteFile(left, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	held, err := lock.Take(t.Context(), filepath.Join(dir, ".lock"), nil)
	if err != nil {
		t.Skip(err)
	}
	for _, atWork := range []bool{true, false} {
		_, stderr, err := runReport(second, "--out", dir, "--force")
		if removed := "removed " + filepath.Join(dir, "figures", "01-difference-cifar10-val-loss.png"); err != nil || strings.Contains(stderr, removed) != atWork { // the first of both removes it
			t.Errorf("%v: %s", err, stderr)
		}
		if exists(left) != atWork {
			t.Errorf("%s is there: %v, with a process at work: %v", left, exists(left), atWork)
		}
		if atWork {
			if err := held.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A study of which nothing has ended is one all the same.
func TestReportOfAStudyThatHasJustBegun(t *testing.T) {
	dir := t.TempDir()
	jobs := []record.Job{{Dataset: "digits", Optimizer: "adamw"}, {Dataset: "digits", Optimizer: "sgd"}}
	if err := record.WriteStudy(dir, jobs); err != nil {
		t.Fatal(err)
	}
	for begun, job := range jobs {
		if _, _, err := runReport(dir); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("no run has finished yet, of those that have begun (%d)", begun)) {
			t.Errorf("%d begun: %v", begun, err)
		}
		if _, err := record.RunOf(dir, job).Claim(record.Config{Job: job}); err != nil {
			t.Fatal(err)
		}
	}
}

// An interrupted report ends at once, whatever it reads.
func TestStoppedReport(t *testing.T) {
	app := &cli.App{Name: "diaghess", Writer: io.Discard, ErrWriter: io.Discard, Commands: []*cli.Command{reportCommand()}}
	r, w, err := os.Pipe() // that nobody writes to
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = app.RunContext(ctx, []string{"diaghess", "report", fmt.Sprintf("/dev/fd/%d", r.Fd())})
	if err == nil || !strings.Contains(err.Error(), "stopped while reading") && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestReportOfFolderAndFile(t *testing.T) {
	dir := t.TempDir()
	for optimizer, loss := range map[string]float64{"adamw": 0.25, "sgd": 0.5} {
		settings := train.DefaultSettings()
		settings.Epochs = 1
		config := record.Config{
			Job:           record.Job{Settings: settings, Dataset: "digits", Optimizer: optimizer},
			TrainPictures: 64, ValPictures: 1, Steps: 1, Parameters: 1, Device: "cpu", Machine: "m", Build: train.ThisBuild(),
			OptimizerSettings: map[string]string{}, Algorithms: map[string]string{},
		}
		final := config.Final(record.Finished)
		epochs := []record.Epoch{{Epoch: 1, ValLoss: loss}}
		final.Summarize(epochs)
		run, err := record.RunOf(dir, config.Job).Claim(config)
		if err := errors.Join(err, run.WriteEpochs(epochs), run.Finish(final, nil)); err != nil {
			t.Fatal(err)
		}
	}
	stdout, _, err := runReport("--baseline", "sgd", "--format", "csv", dir, published("cifar10_adam_optimizer_metrics.csv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(stdout, "\n")
	if want := "digits,sgd,adamw,val_loss,secondary,1,0.5,,0.25,,-0.25,-50,,"; !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, want) }) {
		t.Errorf("no line that begins with %q in:\n%s", want, stdout)
	}
}

// What a study writes is what the report reads: curves, targets, cost and settings
// are there, without a caution.
func TestReportOfStudy(t *testing.T) {
	folder := t.TempDir()
	settings := train.DefaultSettings()
	settings.Model, settings.Epochs, settings.Limit = "mlp", 2, 300
	s := study.Study{
		Settings: settings, Out: folder, Data: data.Shelf{Dir: t.TempDir()}, Device: "cpu",
		Datasets: []string{"digits"}, Optimizers: []optim.Rule{optim.NewAdamW(), optim.NewSGD()}, Seeds: []int{0, 1, 2},
	}
	if err := s.Run(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	stdout, stderr, err := runReport(folder, "--out", out, "--png", "--targets", "0.1, 0.9")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stdout, "n = 3 pairs, seeds 0–2, 2 epochs") || strings.Contains(stdout, "CAUTION") {
		t.Errorf("the tables:\n%s", stdout)
	}
	for _, name := range []string{"05-curve-digits-validation-loss.png", "08-curve-digits-training-accuracy.png"} {
		if path := filepath.Join(out, "figures", name); !strings.Contains(stderr, "wrote "+path+"\n") {
			t.Errorf("%s is not announced in:\n%s", path, stderr)
		}
	}
	page, err := os.ReadFile(filepath.Join(out, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"digits: validation accuracy by epoch", "<th scope=\"col\">90.00\u00a0%</th>", `<th scope="row">model</th><td data-l="Value">mlp</td>`,
		`<th scope="row">machine</th>`, `<th scope="row">build.commit</th>`, "weight-decay 0.0005", "out forward",
		"Every seed that has a run has one of every optimizer, and all of them finished.",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("no %q in the page", want)
		}
	}
}

func TestReportErrors(t *testing.T) {
	dir := t.TempDir()
	withCSV := t.TempDir()
	for name, content := range map[string]string{
		filepath.Join(withCSV, "m.csv"): "dataset,seed,optimizer,val_loss,val_acc,f1,train_time\n",
		filepath.Join(dir, "wrong.csv"): "dataset,optimizer,metric,mean,std\ncifar10,Custom,f1,0.8,0.004752175014970571\n",
	} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	metrics := published("cifar10_adam_optimizer_metrics.csv")
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "final.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		arguments []string
		want      string
	}{
		{"no arguments", nil, "name a result folder or CSV files"},
		{"no such file", []string{"absent.csv"}, "absent.csv"},
		{"unknown format", []string{metrics, "--format", "html"}, `unknown format "html"; known are text markdown csv json`},
		{"PNG without a folder", []string{metrics, "--png"}, "--png needs a folder"},
		{"target that is no accuracy", []string{metrics, "--targets", "0.5,93"}, `target "93" is not an accuracy`},
		{"unknown baseline", []string{metrics, "--baseline", "adam"}, `"adam"`},
		{"empty folder", []string{t.TempDir()}, "holds no runs: name a study's folder"},
		{"folder of CSV files", []string{withCSV}, "type " + filepath.Join(withCSV, "*.csv")},
		{"folder that cannot be read", []string{metrics, broken}, "final.json is damaged"},
		{"all that cannot be read", []string{broken, "absent.csv"}, "absent.csv"},
		{"file without rows", []string{filepath.Join(withCSV, "m.csv")}, "no row"},
		{"same file twice", []string{metrics, metrics}, "the same run"},
		{"summary alone", []string{published("cifar10_adam_optimizer_summary.csv")}, "name the metrics file"},
		{"summary that disagrees", []string{metrics, filepath.Join(dir, "wrong.csv")}, "1 of the 1 summary and t-test files do not agree"},
		{"output that is a file", []string{metrics, "--out", filepath.Join(dir, "wrong.csv")}, "wrong.csv"},
	} {
		stdout, _, err := runReport(c.arguments...)
		if err == nil {
			t.Errorf("%s: no error", c.name)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %q does not say %q", c.name, err, c.want)
		}
		if c.name == "summary that disagrees" && !strings.Contains(stdout, "cifar10 Custom f1 mean is 0.8 in the file, 0.866912078293787") {
			t.Errorf("the number that disagrees is not named in:\n%s", stdout)
		}
	}
}

// An archive has the report of its folder, and replaces no file unasked.
func TestReportArchive(t *testing.T) {
	out := t.TempDir()
	if _, _, err := runApp(t, "study", "--datasets", "digits", "--model", "mlp", "--epochs", "1", "--limit", "100", "--optimizers", "adamw,sgd", "--seeds", "0,1", "--device", "cpu", "--out", out); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(t.TempDir(), "study.zip")
	want, stderr, err := runReport(out, "--archive", archive)
	if err != nil || !strings.Contains(stderr, "wrote "+archive) {
		t.Fatalf("%v: %s", err, stderr)
	}
	if got, _, err := runReport(archive); err != nil || got != want {
		t.Errorf("%v: the archive's report is\n%s\nthe folder's\n%s", err, got, want)
	}
	for _, arguments := range [][]string{{out}, {filepath.Dir(out)}, {archive}, {filepath.Join(out, "metrics.csv")}} { // the study, what it is in, its runs elsewhere
		if _, _, err := runReport(append(arguments, "--out", out)...); err != nil {
			t.Errorf("%q: %v", arguments, err)
		}
	}
	for _, c := range []struct {
		arguments []string
		want      string
	}{
		{[]string{published("cifar10_adam_optimizer_metrics.csv"), "--out", out}, "the report of other runs"},
		{[]string{published(""), "--out", out}, "of a study that is not reported here"},
		{[]string{out, "--out", "both", "--export", "./both", "--png"}, "name one folder"},
		{[]string{out, "--out", out, "--export", out}, "name one folder"},
		{[]string{out, "--archive", archive}, "--force"},
		{[]string{out, "--archive", out}, "ends in .zip"},
		{[]string{out, archive, "--archive", archive}, "of one study"},
		{[]string{archive, "--archive", archive + ".zip"}, "not the folder of a study"},
		{[]string{published("cifar10_adam_optimizer_metrics.csv"), "--archive", archive + ".zip"}, "not the folder of a study"},
	} {
		if _, _, err := runReport(c.arguments...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %q", c.arguments, err, c.want)
		}
	}
	left := filepath.Join(filepath.Dir(archive), ".study.zip-7") // of a killed process
	if err := os.WriteFile(left, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := runReport(out, "--archive", archive, "--force"); err != nil || exists(left) {
		t.Errorf("%v, and %s is there: %v", err, left, exists(left))
	}
}

// An export needs a folder of its own, and takes studies of several networks or label smoothings,
// which a report cannot compare.
func TestReportExport(t *testing.T) {
	metrics := published("cifar10_adam_optimizer_metrics.csv")
	dir := t.TempDir()
	mine := filepath.Join(dir, "results.csv")
	if err := os.WriteFile(mine, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := runReport(metrics, "--export", dir); err == nil || !strings.Contains(err.Error(), mine) || !strings.Contains(err.Error(), "--force") {
		t.Errorf("somebody's file: %v", err)
	}
	if content, _ := os.ReadFile(mine); string(content) != "mine" {
		t.Error("it was replaced")
	}
	for _, flags := range [][]string{{"--force"}, nil} { // then it is an export
		stdout, stderr, err := runReport(append([]string{metrics, "--export", dir}, flags...)...)
		if err != nil || !strings.Contains(stdout, "n = 20 pairs") || !strings.Contains(stderr, "wrote "+mine) {
			t.Errorf("%v: %v\n%s", flags, err, stderr)
		}
	}
	var studies []string
	for _, smoothing := range []string{"0", "0.1"} {
		out := t.TempDir()
		if _, _, err := runApp(t, "study", "--datasets", "digits", "--model", "mlp", "--epochs", "1", "--limit", "100", "--optimizers", "adamw,sgd", "--seeds", "0,1", "--device", "cpu",
			"--label-smoothing", smoothing, "--out", out); err != nil {
			t.Fatal(err)
		}
		studies = append(studies, out)
	}
	grid := filepath.Join(t.TempDir(), "grid")
	stdout, stderr, err := runReport(append(studies, "--export", grid)...)
	if err != nil || !strings.Contains(stdout, "label_smoothing") || !strings.Contains(stderr, "heatmap-digits-val-acc.png") || strings.Contains(stderr, ".json") {
		t.Errorf("a grid: %v\n%s\n%s", err, stdout, stderr)
	}
	for _, c := range []struct{ arguments, want string }{
		{"", "differ in label_smoothing, --export DIR makes tables"},
		{"--export " + grid + " --out " + t.TempDir(), "--out: a page compares arms of one network, and these differ in label_smoothing"},
		{"--export " + grid + " --format csv", "results.csv of the export has them"},
		{"--export " + grid + " --pilot-statistics", "--pilot-statistics: it is of arms of one network, and these differ in label_smoothing"},
		{"--export " + filepath.Join(grid, "results.csv"), "results.csv: it is a file: name a folder"},
	} {
		if _, _, err := runReport(append(slices.Clone(studies), strings.Fields(c.arguments)...)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.arguments, err)
		}
	}
}
