package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	"diaghess/optim"
	"diaghess/optim/curvature"
	"diaghess/train"
	"diaghess/train/atomicfile"
	"diaghess/train/record"
	"diaghess/train/report/plot"
)

// curvatureCommand is `diaghess curvature`.
func curvatureCommand() *cli.Command {
	s := train.DefaultSettings()
	flags := []cli.Flag{
		modelFlag("measure on", "smallcnn"),
		&cli.StringFlag{Name: "dataset", Value: "digits", Usage: "measure on the dataset `NAME`: " + dataDescription()},
		&cli.IntFlag{Name: "seed", Usage: "random seed of weights, order, dropout and samples"},
		&cli.IntFlag{Name: "batch", Value: s.Batch, Usage: "pictures per batch"},
		&cli.IntFlag{Name: "batches", Value: 4, Usage: "number of batches of training pictures to estimate the curvature on"},
		&cli.Float64Flag{Name: "label-smoothing", Usage: "share of each label that is spread over all classes"},
		&cli.IntFlag{Name: "steps", Usage: "train `N` steps first"},
		&cli.StringFlag{Name: "optimizer", Value: "adamw", Usage: "train with `SPEC`"},
		&cli.IntFlag{Name: "epochs", Value: s.Epochs, Usage: "length of the run whose first steps these are"},
		list(&cli.StringFlag{Name: "estimators", Usage: "compare `LIST` (default: all that fit the network) of " +
			strings.Join(curvature.Kinds()[1:], ", ") + "; with settings as in gnb:samples=10 and hutchinson:abs=true"}),
		&cli.IntFlag{Name: "reference-draws", Value: 100, Usage: "where the exact diagonal is too much work, compare with the mean of `N` GNB draws"},
		&cli.BoolFlag{Name: "exact", Usage: fmt.Sprintf("compare with the exact diagonal however much work that is, not only up to %.0e multiply-adds of forward passes", curvature.DefaultExactWork)},
		&cli.IntFlag{Name: "repeats", Value: 20, Usage: "times that each estimate is timed"},
		&cli.BoolFlag{Name: "json", Usage: "write JSON"},
		&cli.StringFlag{Name: "out", Usage: "also write curvature.json and curvature.png into `DIR`"},
		&cli.BoolFlag{Name: "force", Usage: "with --out, write into a study's folder, and replace files with those names that are of something else"},
	}
	flags = append(flags, datasetFlags()...)
	return strict(&cli.Command{
		Name:  "curvature",
		Usage: "compare estimates of the curvature diagonal with the exact diagonal",
		Description: "No estimate is averaged over steps. The reference is computed in float64. It is the diagonal of the Gauss-Newton\n" +
			"matrix; for hutchinson it is that of the Hessian. Without batch normalization they are the same. With batch\n" +
			"normalization, hutchinson is compared with Gauss-Newton if the Hessian takes too long.\n\n" +
			"error is |estimate - reference| / |reference|. rank is Spearman's rank correlation. ratio is the ratio of the\n" +
			"sums, which is 1 for an unbiased estimate. 5 %, median and 95 % are quantiles of the entries.",
		Flags: append(flags, machineFlags()...),
		Action: promptly(func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			return runCurvature(c)
		}),
	})
}

func runCurvature(c *cli.Context) error {
	s := train.DefaultSettings()
	s.Model, s.Batch, s.Epochs, s.LabelSmoothing, s.Math = model(c), c.Int("batch"), c.Int("epochs"), c.Float64("label-smoothing"), c.String("math")
	rule, err := optim.Parse(c.String("optimizer"))
	if err != nil {
		return err
	}
	s.Recalibrate = train.DefaultRecalibrate(s, []optim.Rule{rule})
	dataset, on, err := openDataset(c)
	if err != nil {
		return err
	}
	check := &train.CurvatureCheck{
		Job:  train.NewJob(s, dataset, rule, c.Int("seed")),
		Data: on, Steps: c.Int("steps"), Batches: c.Int("batches"),
		ReferenceDraws: c.Int("reference-draws"), ExactWork: curvature.DefaultExactWork, Repeats: c.Int("repeats"),
	}
	for _, spec := range optim.SplitList(c.String("estimators")) {
		o, err := optim.ParseEstimator(spec)
		if err != nil {
			return err
		}
		if slices.Contains(check.Estimators, o) {
			return fmt.Errorf("--estimators: %s is there twice: leave one out", o)
		}
		check.Estimators = append(check.Estimators, o)
	}
	if c.Bool("exact") {
		check.ExactWork = math.Inf(1)
	}
	if err := check.Validate(); err != nil {
		return err
	}
	if dir := c.String("out"); dir != "" { // before the work, so that its failure costs none
		if err := checkOut(dir); err != nil {
			return err
		}
		if err := curvatureFits(dir); err != nil && !c.Bool("force") {
			return err
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	device, err := openDevice(c)
	if err != nil {
		return err
	}
	defer device.Close()
	report, err := check.Run(c.Context, device)
	if err != nil {
		return err
	}
	if dir := c.String("out"); dir != "" {
		if err := writeCurvature(c, dir, report); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return encodeCurvature(c.App.Writer, report)
	}
	printCurvature(c.App.Writer, report)
	return nil
}

func encodeCurvature(w io.Writer, r *train.CurvatureReport) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// The files of writeCurvature.
const (
	curvatureJSON = "curvature.json"
	curvaturePNG  = "curvature.png"
)

// curvatureFits returns an error for the folder of a study, and for one with files of those names
// that are not of an earlier comparison.
func curvatureFits(dir string) error {
	if exists(filepath.Join(dir, record.StudyFile)) {
		return fmt.Errorf("%s is the folder of a study: choose another folder with --out, or add --force to write there all the same", dir)
	}
	var last train.CurvatureReport
	old, err := record.ReadFile(filepath.Join(dir, curvatureJSON))
	if err == nil && json.Unmarshal(old, &last) == nil && last.Model != "" && len(last.Estimators) > 0 {
		return nil
	}
	return record.CheckFiles(dir, curvatureJSON, curvaturePNG)
}

// writeCurvature writes the report and its figure into a folder.
func writeCurvature(c *cli.Context, dir string, r *train.CurvatureReport) error {
	for _, file := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{curvatureJSON, func(w io.Writer) error { return encodeCurvature(w, r) }},
		{curvaturePNG, curvatureFigure(r).PNG},
	} {
		path := filepath.Join(dir, file.name)
		if err := atomicfile.Write(path, file.write); err != nil {
			return err
		}
		fmt.Fprintln(c.App.ErrWriter, "wrote", path)
	}
	return nil
}

// curvatureFigure draws the mean estimate of entries over their mean reference, an arm an
// estimator, and the reference itself as the baseline.
func curvatureFigure(r *train.CurvatureReport) *plot.Figure {
	var curves []plot.Curve
	for i, e := range r.Estimators {
		curve := plot.Curve{Name: e.Estimator, Arm: i + 1}
		for _, bin := range e.Calibration {
			if bin.Estimate > 0 { // a signed one may be below zero
				curve.X, curve.Y = append(curve.X, bin.Reference), append(curve.Y, bin.Estimate)
			}
		}
		curves = append(curves, curve)
	}
	low, high := math.Inf(1), 0.0
	for _, curve := range curves {
		for _, x := range curve.X {
			low, high = min(low, x), max(high, x)
		}
	}
	if high > 0 {
		curves = append(curves, plot.Curve{Name: "reference", X: []float64{low, high}, Y: []float64{low, high}})
	}
	return plot.LogLog(r.Model+" on "+r.Dataset+", step "+fmt.Sprint(r.Steps), "reference, mean of entries of like size", "estimate, mean of the same entries", curves)
}

// printCurvature prints the tables: each estimator by tensor, then all of them.
func printCurvature(w io.Writer, r *train.CurvatureReport) {
	fmt.Fprintf(w, "%s on %s, seed %d, %d parameters, ", r.Model, r.Dataset, r.Seed, r.Parameters)
	if r.Steps > 0 {
		fmt.Fprintf(w, "after %d steps of %s; ", r.Steps, r.Optimizer)
	} else {
		fmt.Fprint(w, "initial weights; ")
	}
	fmt.Fprintf(w, "batches of %d: %d\n", r.Batch, r.Batches)
	for _, reference := range r.References {
		if reference.Draws == 0 {
			fmt.Fprintf(w, "reference: exact %s diagonal, float64\n", reference.Matrix)
		} else {
			fmt.Fprintf(w, "reference: mean of %d GNB draws, not exact: its own error is about %.3f (%s)\n", reference.Draws, reference.Noise, reference.Matrix)
		}
	}
	fmt.Fprintln(w)
	columns := table.Row{"elements", "error", "rank", "ratio", "mean", "5 %", "median", "95 %", "negative"}
	for _, e := range r.Estimators {
		t := newTable(append(table.Row{"tensor"}, columns...))
		t.SetTitle(e.Estimator + " against " + e.Reference)
		for _, a := range append(e.Tensors, e.All) {
			t.AppendRow(append(table.Row{a.Tensor}, agreementCells(a)...))
		}
		fmt.Fprintf(w, "%s\n\n", t.Render())
	}
	t := newTable(table.Row{"all tensors", "reference", "error", "rank", "ratio", "negative", "ms", "of a backward", "memory MB"})
	for _, e := range r.Estimators {
		t.AppendRow(table.Row{e.Estimator, e.Reference, decimals(e.All.Error), decimals(e.All.Rank), decimals(e.All.Ratio), percent(e.All.Negative),
			fmt.Sprintf("%.3f", e.Estimate.Seconds()*1e3), fmt.Sprintf("%.2f", e.Estimate.Seconds()/e.Backward.Seconds()), megabytes(e.Memory)})
	}
	fmt.Fprintln(w, t.Render())
}

func agreementCells(a curvature.Agreement) table.Row {
	row := table.Row{a.Elements, decimals(a.Error), decimals(a.Rank), decimals(a.Ratio)}
	for _, v := range []float64{a.Mean, a.Low, a.Median, a.High} {
		row = append(row, fmt.Sprintf("%.2e", v))
	}
	return append(row, percent(a.Negative))
}

// decimals writes a number with three decimals, a smaller one by its power of ten, and
// what is not defined as a dash.
func decimals(v *float64) string {
	switch {
	case v == nil:
		return "–"
	case *v != 0 && math.Abs(*v) < 5e-4:
		return fmt.Sprintf("%.0e", *v)
	}
	return fmt.Sprintf("%.3f", *v)
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }
