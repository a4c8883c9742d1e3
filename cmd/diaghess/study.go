package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"diaghess/optim"
	"diaghess/train"
	"diaghess/train/progress"
	"diaghess/train/record"
	"diaghess/train/report"
	"diaghess/train/study"
)

// studyCommand is `diaghess study`, the main job.
func studyCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "datasets", Value: "cifar10", Usage: "train on the datasets of `LIST`: " + dataDescription()},
		&cli.StringFlag{Name: "optimizers", Value: "adamw,diaghess", Usage: "compare the optimizers of `LIST`, or the best trials of a tuning, @FILE; the first is the baseline"},
		&cli.StringFlag{Name: "seeds", Value: "0-19", Usage: "train from each random seed of `LIST`: numbers and ranges"},
	}
	flags = append(flags, settingsFlags()...)
	flags = append(flags, outFlag("results/study"), dataFlag())
	flags = append(flags, machineFlags()...)
	flags = append(flags, parallelFlag(),
		&cli.StringFlag{Name: "plan", Usage: "compare the study with the plan in `FILE`; without that file, write it before the first run; the report says whether the plan was followed"},
		&cli.StringFlag{Name: "margins", Usage: "plan a `LIST` of differences too small to matter, such as val_acc=0.005,val_loss=0.01; the report tests them"})
	return &cli.Command{
		Name:        "study",
		Usage:       "train every optimizer on every dataset from every random seed, in pairs, and compare them",
		Description: "The same command resumes an interrupted study.\n\n" + optimizerHelp(),
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
	s := studyOf(c)
	s.Datasets = names(c.String("datasets"))
	s.Seeds = list
	if path, tuned := strings.CutPrefix(c.String("optimizers"), "@"); tuned {
		if err := useTuned(c, s, path); err != nil {
			return err
		}
	} else {
		s.Optimizers = optim.SplitList(c.String("optimizers"))
	}
	s.Parallel = c.Int("parallel")
	planned, err := margins(c.String("margins"))
	if err != nil {
		return err
	}
	if path := c.String("plan"); path != "" {
		differences, err := s.Register(path, planned)
		if err != nil {
			return err
		}
		for _, difference := range differences {
			fmt.Fprintln(c.App.ErrWriter, "note:", difference)
		}
	} else if len(planned) > 0 {
		return errors.New("--margins are part of a plan: name its file with --plan")
	}
	analysis, err := conduct(c, s)
	if err != nil {
		return err
	}
	if err := report.Render(c.App.Writer, analysis, report.Text); err != nil {
		return err
	}
	if err := writeReport(c, s.Out, analysis); err != nil {
		return err
	}
	folder, err := filepath.Abs(s.Out)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.App.ErrWriter, "records are in", folder)
	return nil
}

// conduct does a study with its progress on standard error, and compares its runs. It says
// so where another program made some of them.
func conduct(c *cli.Context, s *study.Study) (*report.Analysis, error) {
	if err := run(c, s); err != nil {
		return nil, err
	}
	rows, err := report.ReadFolder(s.Out)
	if err != nil {
		return nil, err
	}
	this := train.ThisBuild().String()
	for _, other := range distinctBuilds(rows) {
		if other != this {
			fmt.Fprintf(c.App.ErrWriter, "CAUTION: another program made runs in %s: %s. This one is %s. To train with it, choose another folder with --out.\n", s.Out, other, this)
		}
	}
	baseline, err := optim.Parse(s.Optimizers[0])
	if err != nil {
		return nil, err
	}
	return report.Compare(rows, optim.Spec(baseline))
}

// distinctBuilds returns the programs that made the runs.
func distinctBuilds(rows []report.Row) []string {
	var builds []string
	for _, r := range rows {
		if !slices.Contains(builds, r.Build) {
			builds = append(builds, r.Build)
		}
	}
	return builds
}

// useTuned takes a study's optimizers from the result of a tuning, and says where
// the study is not what they were tuned for.
func useTuned(c *cli.Context, s *study.Study, path string) error {
	tuned, err := record.ReadTuned(path)
	if err != nil {
		return err
	}
	if err := s.Use(tuned); err != nil {
		return err
	}
	for _, difference := range s.Differences(tuned) {
		fmt.Fprintln(c.App.ErrWriter, "note:", difference)
	}
	return nil
}

// margins reads a list of margins, metric=number,..., which may be empty.
func margins(list string) (map[string]float64, error) {
	all := map[string]float64{}
	for _, element := range names(list) {
		metric, number, _ := strings.Cut(element, "=")
		margin, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return nil, fmt.Errorf("margin %q: give metric=number, such as val_acc=0.005", element)
		}
		if _, twice := all[metric]; twice {
			return nil, fmt.Errorf("margin of %s is given twice", metric)
		}
		all[metric] = margin
	}
	return all, nil
}

// studyOf reads the flags that study, train and tune share, but for the device.
func studyOf(c *cli.Context) *study.Study {
	return &study.Study{
		Settings: settings(c), Out: c.String("out"), Data: c.String("data"),
		Library: c.String("library"), Threads: c.Int("threads"),
	}
}

// run does a study with its progress on standard error, on the device of the flags
// unless the study has one.
func run(c *cli.Context, s *study.Study) error {
	if _, err := s.Jobs(); err != nil {
		return err
	}
	if s.Device == "" {
		var err error
		if s.Device, err = device(c); err != nil {
			return err
		}
	}
	observer, finish := progress.New(os.Stderr)
	err := s.Run(c.Context, observer)
	finish()
	return err
}
