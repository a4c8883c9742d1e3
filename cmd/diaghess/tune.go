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
	"diaghess/train/record"
	"diaghess/train/report"
	"diaghess/train/tune"
)

// tuneCommand is `diaghess tune`: settings for a study's optimizers, found with
// an equal budget for each.
func tuneCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "dataset", Value: "cifar10", Usage: "tune on `NAME`: " + dataDescription()},
		list(&cli.StringFlag{Name: "optimizers", Value: "adamw,diaghess", Usage: "tune `LIST`; what a spec sets is not sampled; the first is the baseline of the study to come"}),
		&cli.IntFlag{Name: "trials", Value: 16, Usage: "`N` draws for each optimizer"},
		whole(&cli.IntFlag{Name: "repeats", Value: 8, Usage: "tune each optimizer `N` times, independently: each time all trials, with other samples and seeds; a study of the results shows how much they depend on the tuning"}, 1, tune.FirstSeed/record.SeedStride),
		&cli.IntFlag{Name: "halving", Usage: "successive halving: after 1/`N` of the epochs train only the best 1/N of each optimizer's trials on, and so again; 0 trains all to the end"},
		given{documented: &cli.StringFlag{Name: "space", Usage: "draw from `SPACE` instead of lr and weight-decay from 1/100 to 100 times the default: \"lr=1e-5..1e-1 log; sgd: lr=1e-3..1 log, momentum=0..0.99\""}, separator: ";"},
		&cli.StringFlag{Name: "metric", Value: record.DefaultMetric, Usage: "take the trial that is best in `NAME`: " + strings.Join(record.Metrics(), ", ")},
		list(&cli.StringFlag{Name: "seeds", Value: fmt.Sprint(tune.FirstSeed), Usage: fmt.Sprintf("`LIST` of seeds from %d on, which no study has; a trial is trained from each; the second of several tunings has these plus %d, and so on", tune.FirstSeed, record.SeedStride)}),
	}
	for _, flag := range settingsFlags() {
		if flag.Names()[0] != "protocol" {
			flags = append(flags, flag)
		}
	}
	flags = append(flags, outFlag("results/tune"), forceFlag())
	flags = append(flags, datasetFlags()...)
	flags = append(flags, machineFlags()...)
	flags = append(flags, parallelFlag(), shardFlag("that part of the --repeats, in a folder of its own in DIR of --out"))
	flags = append(flags, slurmFlags()...)
	return strict(&cli.Command{
		Name:  "tune",
		Usage: "choose the settings of each optimizer from equally many trials",
		Description: "Trials are quasi-random samples, validated on training pictures kept aside (protocol holdout). The test set is not used.\n" +
			"Budgets are equal in trials, epochs and seeds, for each optimizer and repeat, not in seconds. The same command resumes an interrupted tuning.\n" +
			"A study uses the result, tuned.json: diaghess study --optimizers @DIR/tuned.json\n\n" + specHelp(),
		Flags:  flags,
		Action: runTune,
	})
}

func runTune(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	chosen, err := seeds(c.String("seeds"))
	if err != nil {
		return err
	}
	space, err := tune.ParseSpace(c.String("space"))
	if err != nil {
		return err
	}
	rules, texts, err := optimizers(c, c.String("optimizers"), filepath.Join(c.String("out"), tune.TrialsFolder))
	if err != nil {
		return err
	}
	s, err := studyOf(c, record.ProtocolHoldout, rules)
	if err != nil {
		return err
	}
	s.Datasets = make([]string, 1)
	if s.Datasets[0], s.Data, err = openDataset(c); err != nil {
		return err
	}
	s.Seeds = chosen
	s.Parallel = c.Int("parallel")
	if c.IsSet("slurm") {
		s.Shard = record.Shard{Of: c.Int("slurm")}
		s.Out = filepath.Join(s.Out, s.Shard.Folder())
	} else if err := inShard(c, s); err != nil {
		return err
	}
	tuning := tune.Tuning{Study: *s, Specs: optim.SplitList(c.String("optimizers")), Texts: texts, Trials: c.Int("trials"), Space: space, Metric: c.String("metric"), Halving: c.Int("halving"), Repeats: c.Int("repeats")}
	if err := checkOut(tuning.Out); err != nil {
		return err
	}
	if err := tuning.Validate(); err != nil {
		return err
	}
	if c.IsSet("slurm") {
		if err := tuning.CheckShard(); err != nil {
			return err
		}
		return slurm(c, c.String("out"))
	}
	if tuning.Device, err = device(c); err != nil {
		return err
	}

	observer, finish := observe()
	tuned, path, err := tuning.Run(c.Context, observer)
	finish()
	if err != nil {
		return err
	}
	if tuning.Shard.Of > 0 {
		shardDone(c, &tuning.Study)
		return nil
	}
	fmt.Fprintln(c.App.Writer, tunedTable(tuned))
	for _, caution := range report.TuningCautions(tuned) {
		fmt.Fprintln(c.App.Writer, caution)
	}
	fmt.Fprintf(c.App.ErrWriter, "wrote %s; to compare the best trials: %s\n", path, shellCommand(append([]string{os.Args[0]}, tunedStudy(c, tuned, rules, path)...)...))
	return nil
}

// tunedTable lists the best trial of each optimizer in each tuning.
func tunedTable(tuned *record.Tuned) string {
	t := table.NewWriter()
	style := table.StyleLight
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	near := "Within .01 of the best val_acc"
	if len(tuned.Rungs) > 1 { // else the scores are those of the columns before
		near += fmt.Sprintf(" after the first stage, %s", record.Plural(tuned.Rungs[0].Epochs, "epoch"))
	}
	t.AppendHeader(table.Row{"Optimizer", "Sampled", "Trials", "Trained to the end", "Diverged", "Best", "Trial", "val_loss", "val_acc", "f1", near})
	n := tuned.Tunings()
	for i, o := range tuned.Optimizers {
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
			o.Label(), report.Sampled(o), len(o.Trials), finished, diverged, o.Best, o.BestTrial,
			fmt.Sprintf("%.4f", best.ValLoss), fmt.Sprintf("%.4f", best.ValAcc), fmt.Sprintf("%.4f", best.F1), report.NearBest(o),
		})
		if n > 1 && o.Tuning == n {
			t.AppendRow(table.Row{fmt.Sprintf("%s, all %d tunings", o.Optimizer, n), report.Sampled(o), n * len(o.Trials), "", "", "", "", "", "", "", report.NearBest(tuned.Optimizers[i+1-n : i+1]...)})
		}
	}
	return fmt.Sprintf("%s: best %s on the validation part over seeds %s\n%s", tuned.Dataset, tuned.Metric,
		strings.Trim(fmt.Sprint(tuned.Seeds), "[]"), t.Render())
}
