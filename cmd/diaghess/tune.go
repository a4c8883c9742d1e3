package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/urfave/cli/v2"

	"diaghess/optim"
	"diaghess/train/progress"
	"diaghess/train/record"
	"diaghess/train/report"
	"diaghess/train/tune"
)

// tuneCommand is `diaghess tune`: settings for a study's optimizers, found with
// an equal budget for each.
func tuneCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "dataset", Value: "cifar10", Usage: "tune on `NAME`: " + dataDescription()},
		&cli.StringFlag{Name: "optimizers", Value: "adamw,diaghess", Usage: "tune `LIST`; what a spec sets is not sampled; the first is the baseline of the study to come"},
		&cli.IntFlag{Name: "trials", Value: 16, Usage: "`N` draws for each optimizer"},
		&cli.IntFlag{Name: "halving", Usage: "successive halving: after 1/`N` of the epochs train only the best 1/N of each optimizer's trials on, and so again; 0 trains all to the end"},
		&cli.StringFlag{Name: "space", Usage: "draw from `SPACE` instead of lr and weight-decay from 1/100 to 100 times the default: \"lr=1e-5..1e-1 log; sgd: lr=1e-3..1 log, momentum=0..0.99\""},
		&cli.StringFlag{Name: "metric", Value: tune.Metrics()[0], Usage: "take the trial that is best in `NAME`: " + strings.Join(tune.Metrics(), ", ")},
		&cli.StringFlag{Name: "seeds", Value: fmt.Sprint(tune.FirstSeed), Usage: fmt.Sprintf("`LIST` of seeds from %d on, which no study has; a trial is trained from each", tune.FirstSeed)},
	}
	for _, flag := range settingsFlags() {
		if flag.Names()[0] != "protocol" {
			flags = append(flags, flag)
		}
	}
	flags = append(flags, outFlag("results/tune"), dataFlag())
	flags = append(flags, machineFlags()...)
	flags = append(flags, parallelFlag())
	return &cli.Command{
		Name:  "tune",
		Usage: "choose the settings of each optimizer from equally many trials",
		Description: "Trials are quasi-random samples, validated on training pictures kept aside (protocol holdout). The test set is not used.\n" +
			"Budgets are equal in trials, epochs and seeds, not in seconds. The same command resumes an interrupted tuning.\n" +
			"A study uses the result, tuned.json: diaghess study --optimizers @DIR/tuned.json\n\n" + optimizerHelp(),
		Flags:  flags,
		Action: runTune,
	}
}

func runTune(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	list, err := seeds(c.String("seeds"))
	if err != nil {
		return err
	}
	space, err := tune.ParseSpace(c.String("space"))
	if err != nil {
		return err
	}
	s := studyOf(c)
	s.Protocol = record.ProtocolHoldout
	s.Datasets = []string{c.String("dataset")}
	s.Optimizers = optim.SplitList(c.String("optimizers"))
	s.Seeds = list
	s.Parallel = c.Int("parallel")
	tuning := tune.Tuning{Study: *s, Trials: c.Int("trials"), Space: space, Metric: c.String("metric"), Halving: c.Int("halving")}
	if err := tuning.Validate(); err != nil {
		return err
	}
	if tuning.Device, err = device(c); err != nil {
		return err
	}

	observer, finish := progress.New(os.Stderr)
	tuned, path, err := tuning.Run(c.Context, observer)
	finish()
	if err != nil {
		return err
	}
	fmt.Fprintln(c.App.Writer, tunedTable(tuned))
	for _, caution := range report.TuningCautions(tuned) {
		fmt.Fprintln(c.App.Writer, caution)
	}
	fmt.Fprintf(c.App.ErrWriter, "wrote %s; to compare the best trials: %s study --optimizers @%s --datasets %s --model %s --epochs %d --batch %d --protocol %s --out %s\n",
		path, os.Args[0], path, tuned.Dataset, tuned.Model, tuned.Epochs, tuned.Batch, tuned.Protocol, filepath.Join(tuning.Out, "study"))
	return nil
}

// tunedTable lists the best trial of each optimizer.
func tunedTable(tuned *record.Tuned) string {
	t := table.NewWriter()
	style := table.StyleLight
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	t.AppendHeader(table.Row{"Optimizer", "Trials", "Trained to the end", "Diverged", "Best", "Trial", "val_loss", "val_acc", "f1"})
	for _, o := range tuned.Optimizers {
		finished, diverged := 0, 0
		for _, trial := range o.Trials {
			switch {
			case trial.Score == nil:
				diverged++
			case trial.Status == record.Finished:
				finished++
			}
		}
		best := o.Trials[o.BestTrial-1].Score
		t.AppendRow(table.Row{
			o.Optimizer, len(o.Trials), finished, diverged, o.Best, o.BestTrial,
			fmt.Sprintf("%.4f", best.ValLoss), fmt.Sprintf("%.4f", best.ValAcc), fmt.Sprintf("%.4f", best.F1),
		})
	}
	return fmt.Sprintf("%s: best %s on the validation part over seeds %s\n%s", tuned.Dataset, tuned.Metric,
		strings.Trim(fmt.Sprint(tuned.Seeds), "[]"), t.Render())
}
