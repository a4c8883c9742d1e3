package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"diaghess/optim"
	"diaghess/train"
	"diaghess/train/progress"
	"diaghess/train/report"
)

// studyCommand is `diaghess study`, the main job.
func studyCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "datasets", Value: "cifar10", Usage: "train on `LIST`: " + dataDescription()},
		&cli.StringFlag{Name: "optimizers", Value: "adamw,diaghess", Usage: "compare `LIST`; the first is the baseline"},
		&cli.StringFlag{Name: "seeds", Value: "0-19", Usage: "`LIST` of numbers and ranges"},
	}
	flags = append(flags, settingsFlags()...)
	flags = append(flags, outFlag("results/study"), dataFlag())
	flags = append(flags, machineFlags()...)
	flags = append(flags, &cli.IntFlag{Name: "parallel", Usage: "runs side by side (default: as many as there are processors; on a GPU as its memory takes, at most 40); does not change results"})
	return &cli.Command{
		Name:        "study",
		Usage:       "train every optimizer on every dataset from every seed, paired, and compare them",
		Description: "The same command goes on where it was interrupted.\n\n" + optimizerHelp(),
		Flags:       flags,
		Action:      runStudy,
	}
}

func runStudy(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	list, err := seeds(c.String("seeds"))
	if err != nil {
		return err
	}
	study, err := studyOf(c)
	if err != nil {
		return err
	}
	study.Datasets = names(c.String("datasets"))
	study.Optimizers = optim.SplitList(c.String("optimizers"))
	study.Seeds = list
	study.Parallel = c.Int("parallel")
	if err := run(c, study); err != nil {
		return err
	}

	rows, err := train.ReadRows(study.Out)
	if err != nil {
		return err
	}
	baseline, err := optim.Parse(study.Optimizers[0])
	if err != nil {
		return err
	}
	analysis, err := compareRuns(rows, optim.Spec(baseline))
	if err != nil {
		return err
	}
	if err := report.Render(c.App.Writer, analysis, report.Text); err != nil {
		return err
	}
	if err := writeReport(c, study.Out, analysis); err != nil {
		return err
	}
	folder, err := filepath.Abs(study.Out)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.App.ErrWriter, "records are in", folder)
	return nil
}

// studyOf reads the flags that study and train share.
func studyOf(c *cli.Context) (*train.Study, error) {
	folder, err := dataFolder(c)
	if err != nil {
		return nil, err
	}
	return &train.Study{
		Settings: settings(c), Out: c.String("out"), Data: folder,
		Device: device(c), Library: c.String("library"), Threads: c.Int("threads"),
	}, nil
}

// run does a study with its progress on standard error.
func run(c *cli.Context, study *train.Study) error {
	observer, finish := progress.New(os.Stderr)
	err := study.Run(c.Context, observer)
	finish()
	return err
}
