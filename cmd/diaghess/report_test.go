package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"diaghess/train"
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

func TestReportOfFolderAndFile(t *testing.T) {
	dir := t.TempDir()
	for optimizer, loss := range map[string]float64{"adamw": 0.25, "sgd": 0.5} {
		run := record.RunOf(dir, record.Job{Dataset: "digits", Optimizer: optimizer})
		if err := os.MkdirAll(run.Folder, 0o755); err != nil {
			t.Fatal(err)
		}
		err := run.Finish(record.Final{Dataset: "digits", Optimizer: optimizer, ValLoss: loss, Status: record.Finished, Epochs: 5})
		if err != nil {
			t.Fatal(err)
		}
	}
	stdout, _, err := runReport("--baseline", "sgd", "--format", "csv", dir, published("cifar10_adam_optimizer_metrics.csv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(stdout, "\n")
	if want := "digits,sgd,adamw,val_loss,1,0.5,,0.25,,-0.25,-50,,"; !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, want) }) {
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
		Settings: settings, Out: folder, Data: t.TempDir(), Device: "cpu",
		Datasets: []string{"digits"}, Optimizers: []string{"adamw", "sgd"}, Seeds: []int{0, 1, 2},
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
	for _, name := range []string{"05-curve-digits-validation-loss-epoch.png", "14-profile-digits-time.png"} {
		if path := filepath.Join(out, "figures", name); !strings.Contains(stderr, "wrote "+path+"\n") {
			t.Errorf("%s is not announced in:\n%s", path, stderr)
		}
	}
	page, err := os.ReadFile(filepath.Join(out, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"digits: validation accuracy by time", `<th scope="row">0.9000</th>`, `<th scope="row">model</th><td data-label="Value">mlp</td>`,
		`<th scope="row">machine</th>`, `<th scope="row">build.commit</th>`, "weight-decay 0.0005", "out forward",
		"None: every seed that has a run has one of every optimizer, and all of them finished.",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("no %q in the page", want)
		}
	}
	if strings.Contains(string(page), `data-label="Median ms a step">n/a`) {
		t.Error("the page has no time a step")
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
