package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/urfave/cli/v2"

	"diaghess/train/report"
)

// reportCommand is `diaghess report`: the tables of studies that have run, from
// result folders or from CSV files.
func reportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "compare the optimizers of a study, from its result folder, a zip archive of it, or CSV files",
		ArgsUsage: "DIR|ZIP|CSV...",
		Description: "Pairs the runs by seed and prints mean, standard deviation, difference and paired t-test for every metric,\n" +
			"with intervals and with p adjusted for the number of tests. --out adds a page with figures and all other statistics.\n\n" +
			"A CSV file has the columns dataset,seed,optimizer,val_loss,val_acc,f1,train_time. You can also name files with\n" +
			"summaries (dataset,optimizer,metric,mean,std) and t-tests (dataset,metric,t_stat,p_value): they are checked\n" +
			"against the runs.",
		Flags: []cli.Flag{
			&cli.StringFlag{
				Name:  "baseline",
				Usage: "compare the others with the optimizer `NAME` (default: \"" + report.DefaultBaseline + "\" if there is one, else the first)",
			},
			&cli.StringFlag{
				Name:  "format",
				Value: string(report.Text),
				Usage: "print the tables as `FORMAT`: text, markdown, csv or json",
			},
			&cli.StringFlag{
				Name:  "out",
				Usage: "also write a page (index.html), report.md and CSV files to `DIR`",
			},
			&cli.BoolFlag{
				Name:  "png",
				Usage: "with --out, also write the figures as PNG into DIR/figures",
			},
			&cli.StringFlag{
				Name:  "targets",
				Usage: "measure the time to each validation accuracy of `LIST`, such as 0.8,0.85 (default: shares of the best optimizer's accuracy)",
			},
		},
		Action: printReport,
	}
}

func printReport(c *cli.Context) error {
	arguments, err := positionals(c)
	if err != nil {
		return err
	}
	if len(arguments) == 0 {
		return errors.New("name a result folder or CSV files; see `diaghess report --help`")
	}
	format, err := report.ParseFormat(c.String("format"))
	if err != nil {
		return err
	}
	if c.Bool("png") && c.String("out") == "" {
		return errors.New("--png needs a folder: name one with --out")
	}
	targets, err := accuracies(c.String("targets"))
	if err != nil {
		return err
	}

	var rows []report.Row
	var published []report.File // summaries and t-tests, to be checked
	for _, path := range arguments {
		file, err := readResults(path)
		if err != nil {
			return err
		}
		rows = append(rows, file.Rows...)
		if len(file.Statistics) > 0 {
			published = append(published, file)
		}
	}
	if len(rows) == 0 {
		return fmt.Errorf("%s has statistics only; name the metrics file that they were made from too", published[0].Path)
	}
	analysis, err := report.Compare(rows, c.String("baseline"))
	if err != nil {
		return err
	}
	analysis.Targets = targets
	disagreeing := 0
	for _, file := range published {
		if len(analysis.Check(file).Problems) > 0 {
			disagreeing++
		}
	}

	if err := report.Render(c.App.Writer, analysis, format); err != nil {
		return err
	}
	if dir := c.String("out"); dir != "" {
		if err := writeReport(c, dir, analysis); err != nil {
			return err
		}
	}
	if disagreeing > 0 {
		return fmt.Errorf("%d of the %d summary and t-test files do not agree with the runs", disagreeing, len(published))
	}
	return nil
}

// readResults reads what one argument names.
func readResults(path string) (report.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return report.File{}, fmt.Errorf("read results: %w", err)
	}
	if !info.IsDir() && filepath.Ext(path) != ".zip" {
		return report.ReadCSVFile(path)
	}
	rows, err := report.ReadFolder(path)
	if err != nil {
		return report.File{}, err
	}
	if len(rows) == 0 {
		hint := "name a study's folder, or the folder that --out of the study named"
		if files, _ := filepath.Glob(filepath.Join(path, "*.csv")); len(files) > 0 {
			hint = "for its CSV files, type " + filepath.Join(path, "*.csv")
		}
		return report.File{}, fmt.Errorf("%s holds no runs: %s", path, hint)
	}
	return report.File{Path: path, Rows: rows}, nil
}

// accuracies reads a list of accuracies, which may be empty.
func accuracies(list string) ([]float64, error) {
	var values []float64
	for _, name := range names(list) {
		v, err := strconv.ParseFloat(name, 64)
		if err != nil || !(v > 0 && v <= 1) {
			return nil, fmt.Errorf("target %q is not an accuracy: give numbers above 0 and up to 1, such as 0.8", name)
		}
		values = append(values, v)
	}
	return values, nil
}

func writeReport(c *cli.Context, dir string, analysis *report.Analysis) error {
	paths, err := report.Write(dir, analysis)
	if err != nil {
		return err
	}
	if c.Bool("png") {
		figures, err := report.WritePNG(filepath.Join(dir, "figures"), analysis)
		if err != nil {
			return err
		}
		paths = append(paths, figures...)
	}
	for _, path := range paths {
		fmt.Fprintln(c.App.ErrWriter, "wrote", path)
	}
	return nil
}
