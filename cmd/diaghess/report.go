package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"diaghess/nearest/keys"
	"diaghess/train/atomicfile"
	"diaghess/train/lock"
	"diaghess/train/record"
	"diaghess/train/report"
)

// reportCommand is `diaghess report`: the tables of studies that have run, from
// result folders or from CSV files.
func reportCommand() *cli.Command {
	return strict(&cli.Command{
		Name:      "report",
		Usage:     "compare the optimizers of a study, from its result folder, a zip archive of it, or CSV files",
		ArgsUsage: "DIR|ZIP|CSV...",
		Description: "Pairs the runs by seed and ranks the optimizers by accuracy, with differences, intervals and a verdict each, over all\n" +
			"rivals and data sets together. Other metrics have intervals and no verdict. --out adds a page with plots and all else.\n\n" +
			"A CSV file has the columns dataset,seed,optimizer,val_loss,val_acc,f1,train_time. It may have the column tuning:\n" +
			"the number of a run's tuning, from 1, where the optimizers were tuned several times. A tuning then counts as one\n" +
			"unit. You can also name files with summaries (dataset,optimizer,metric,mean,std) and t-tests\n" +
			"(dataset,metric,t_stat,p_value): they are checked against the runs. Fields may be separated by semicolons or tabs,\n" +
			"and numbers have decimal commas. Accuracies and F1 are shares between 0 and 1.",
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
			&cli.StringFlag{
				Name: "export",
				Usage: "also write tables as CSV, all epochs as CSV and Parquet, Keras-style histories as JSON, and bars over the data sets to `DIR`. " +
					"Studies of several networks or label smoothings make one table, and heat maps",
			},
			&cli.StringFlag{
				Name:  "archive",
				Usage: "also write the records of the study's folder, without checkpoints, to the zip archive `FILE`, to publish them",
			},
			&cli.BoolFlag{
				Name:  "force",
				Usage: "replace files in DIR of --out that are not of a report, or are of another study or other runs. Replace also what is not of an export in DIR of --export, and FILE of --archive",
			},
			&cli.BoolFlag{
				Name:  "png",
				Usage: "with --out, also write the figures as PNG into DIR/figures",
			},
			&cli.BoolFlag{
				Name:  "pilot-statistics",
				Usage: "also show the statistics of the pilot's study of perceptrons: all pairs of arms, Cohen's d, non-inferiority, equivalence",
			},
			&cli.BoolFlag{
				Name:  "partial",
				Usage: "report a study although shards of it are missing",
			},
			list(&cli.StringFlag{
				Name:  "targets",
				Usage: "count the epochs to each validation accuracy of `LIST`, such as 0.8,0.85 (default: shares of the best optimizer's accuracy)",
			}),
		},
		Action: promptly(printReport),
	})
}

func printReport(c *cli.Context) error {
	arguments, err := positionals(c)
	if err != nil {
		return err
	}
	dir := c.String("out")
	if len(arguments) == 0 {
		return errors.New("name a result folder or CSV files; see `diaghess report --help`")
	}
	format, err := report.ParseFormat(c.String("format"))
	if err != nil {
		return err
	}
	if c.Bool("png") && dir == "" {
		return errors.New("--png needs a folder: name one with --out")
	}
	study := dir != "" && exists(filepath.Join(dir, record.StudyFile))
	own := study && slices.ContainsFunc(arguments, func(reported string) bool { return inside(dir, reported) })
	if dir != "" && !c.Bool("force") {
		if err := report.Replaceable(dir); err != nil {
			return fmt.Errorf("%w, or replace it with --force", err)
		}
		// The runs of an archive or a CSV file may be those of the study: see Replaces.
		if study && !own && (!exists(filepath.Join(dir, "index.html")) || !slices.ContainsFunc(arguments, func(reported string) bool { return !folder(reported) })) {
			return fmt.Errorf("%s is the folder of a study that is not reported here: choose another folder with --out, or replace its page and tables with --force", dir)
		}
	}
	export := c.String("export")
	if dir != "" && export != "" && inside(dir, export) && inside(export, dir) || dir != "" && filepath.Clean(dir) == filepath.Clean(export) {
		return errors.New("--out and --export name one folder: a report and an export each have figures, so give each its own")
	}
	if info, err := os.Stat(export); err == nil && !info.IsDir() {
		return fmt.Errorf("--export %s: it is a file: name a folder", shown(export))
	}
	if export != "" && !c.Bool("force") {
		if err := report.Exportable(export); err != nil {
			return fmt.Errorf("%w, or replace it with --force", err)
		}
	}
	archive := c.String("archive")
	switch info, err := os.Stat(archive); {
	case archive == "":
	case len(arguments) != 1:
		return errors.New("--archive: an archive is of one study: name its folder alone")
	case filepath.Ext(archive) != ".zip":
		return fmt.Errorf("--archive %s: name a file that ends in .zip: a report reads such", shown(archive))
	case !folder(arguments[0]):
		return fmt.Errorf("--archive: %s is not the folder of a study: name that", shown(arguments[0]))
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("--archive %s: it is no file: name another", shown(archive))
	case err == nil && !c.Bool("force"):
		return fmt.Errorf("--archive %s: it exists: name another file, or replace it with --force", shown(archive))
	}
	targets, err := accuracies(c.String("targets"))
	if err != nil {
		return err
	}

	var rows []report.Row
	var published []report.File // summaries and t-tests, to be checked
	var wrong []error
	for _, path := range arguments {
		var file report.File
		err := attend(c, "reading "+path, false, func() (err error) {
			file, err = readResults(path)
			return err
		})
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		rows = append(rows, file.Rows...)
		if len(file.Statistics) > 0 {
			published = append(published, file)
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	if missing := report.MissingShards(rows); len(missing) > 0 && !c.Bool("partial") {
		return fmt.Errorf("runs of these shards are missing: %s; merge them when they are complete, or report what there is with --partial", strings.Join(missing, ", "))
	}
	if len(rows) == 0 {
		return fmt.Errorf("%s has statistics only; name the metrics file that they were made from too", published[0].Path)
	}
	if archive != "" {
		err := attend(c, "writing "+archive, true, func() error {
			left := func() error { return atomicfile.Sweep(filepath.Dir(archive), filepath.Base(archive)) }
			return alone(arguments[0], left, func() error { return record.Archive(c.Context, arguments[0], archive) })
		})
		if err := announce(c, []string{archive}, err); err != nil {
			return err
		}
	}
	if varied := report.Varied(rows); export != "" && len(varied) > 0 {
		if dir != "" {
			return fmt.Errorf("--out: a page compares arms of one network, and these differ in %s: leave it out, or give the studies apart", strings.Join(varied, ", "))
		}
		for _, flag := range []string{"baseline", "pilot-statistics", "targets"} {
			if c.IsSet(flag) {
				return fmt.Errorf("--%s: it is of arms of one network, and these differ in %s: leave it out, or give the studies apart", flag, strings.Join(varied, ", "))
			}
		}
		if err := report.RenderGrid(c.App.Writer, rows, format); err != nil {
			return err
		}
		return writeExport(c, export, rows, nil)
	}
	var analysis *report.Analysis
	var tables bytes.Buffer
	disagreeing := 0
	err = attend(c, "comparing the runs", false, func() (err error) {
		if analysis, err = report.Compare(rows, c.String("baseline")); err != nil {
			if varied := report.Varied(rows); len(varied) > 0 {
				err = fmt.Errorf("%w; of runs that differ in %s, --export DIR makes tables and heat maps", err, strings.Join(varied, ", "))
			}
			return err
		}
		if dir != "" && !own && !c.Bool("force") {
			if err := analysis.Replaces(dir); err != nil {
				return fmt.Errorf("%w, or replace it with --force", err)
			}
		}
		analysis.Targets, analysis.PilotStatistics = targets, c.Bool("pilot-statistics")
		for _, file := range published {
			if len(analysis.Check(file).Problems) > 0 {
				disagreeing++
			}
		}
		return report.Render(&tables, analysis, format)
	})
	if err != nil {
		return err
	}
	if _, err := tables.WriteTo(c.App.Writer); err != nil {
		return fmt.Errorf("write the report as %s: %w", format, err)
	}
	if dir != "" {
		if err := writeReport(c, dir, analysis); err != nil {
			return err
		}
	}
	if export != "" {
		if err := writeExport(c, export, rows, analysis); err != nil {
			return err
		}
	}
	if disagreeing > 0 {
		return fmt.Errorf("%d of the %d summary and t-test files do not agree with the runs", disagreeing, len(published))
	}
	return nil
}

// inside says whether a folder is another, or below it.
func inside(dir, other string) bool {
	inner, err := filepath.EvalSymlinks(dir)
	outer, otherErr := filepath.EvalSymlinks(other)
	if err != nil || otherErr != nil {
		return false
	}
	inner, err = filepath.Abs(inner)
	outer, otherErr = filepath.Abs(outer)
	between, relErr := filepath.Rel(outer, inner)
	return errors.Join(err, otherErr, relErr) == nil && filepath.IsLocal(between)
}

// folder says whether a path is that of a folder.
func folder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// attend does work, and says on standard error what it is at where that takes longer than a
// second. When the command is interrupted it returns at once; work that writes looks at the
// context itself, and is waited for.
func attend(c *cli.Context, what string, writes bool, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	slow := time.NewTimer(time.Second)
	defer slow.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-slow.C:
			fmt.Fprintln(c.App.ErrWriter, what, "...")
		case <-c.Context.Done():
			if !writes || <-done != nil {
				return fmt.Errorf("stopped while %s", what)
			}
			return nil
		}
	}
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
		begun, study, err := record.Unended(path)
		if err != nil {
			return report.File{}, err
		}
		if study {
			return report.File{}, fmt.Errorf("%s: no run has finished yet, of those that have begun (%d): report it when runs have ended; the command that began the study goes on with it", path, begun)
		}
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
		v, err := keys.ParseNumber(name)
		if err != nil || !(v > 0 && v <= 1) {
			return nil, fmt.Errorf("target %q is not an accuracy: give numbers above 0 and up to 1, such as 0.8", name)
		}
		values = append(values, v)
	}
	return values, nil
}

func writeReport(c *cli.Context, dir string, analysis *report.Analysis) error {
	var paths []string
	err := attend(c, "writing the report to "+dir, true, func() error {
		return alone(dir, func() error { return report.Sweep(dir) }, func() error {
			wrote, removed, err := report.Write(c.Context, dir, analysis, c.Bool("png"))
			paths = wrote
			for _, path := range removed {
				fmt.Fprintln(c.App.ErrWriter, "removed", path+", which was of an earlier report")
			}
			return err
		})
	})
	return announce(c, paths, err)
}

func writeExport(c *cli.Context, dir string, rows []report.Row, analysis *report.Analysis) error {
	var paths []string
	err := attend(c, "exporting to "+dir, true, func() error {
		return alone(dir, func() error { return report.Sweep(dir) }, func() (err error) {
			paths, err = report.Export(c.Context, dir, rows, analysis)
			return err
		})
	})
	return announce(c, slices.DeleteFunc(paths, func(path string) bool { return filepath.Ext(path) == ".json" }), err) // one for each run
}

// alone sweeps what killed processes left, and then works. It holds the lock of a folder meanwhile,
// as a study does, and so sweeps nothing of a process at work. Where the lock cannot be had, it only works.
func alone(folder string, sweep, work func() error) error {
	if err := atomicfile.MakeFolder(folder); err != nil {
		return err
	}
	once, cancel := context.WithCancel(context.Background())
	cancel() // do not wait
	held, err := lock.Take(once, filepath.Join(folder, ".lock"), nil)
	if err != nil {
		return work()
	}
	return errors.Join(sweep(), work(), held.Close())
}

// announce names the files that were written, if they were.
func announce(c *cli.Context, paths []string, err error) error {
	if err != nil {
		return err
	}
	for _, path := range paths {
		fmt.Fprintln(c.App.ErrWriter, "wrote", path)
	}
	return nil
}
