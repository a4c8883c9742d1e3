package main

import (
	"cmp"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"diaghess/gpu/devices"
	"diaghess/nearest"
	"diaghess/nearest/keys"
	"diaghess/optim"
	"diaghess/train"
	"diaghess/train/progress"
	"diaghess/train/record"
	"diaghess/train/report"
	"diaghess/train/stats"
	"diaghess/train/study"
)

// tunedSeeds are a study's seeds in each of several tunings. With standard deviations σ over
// seeds and τ over tunings, the error is smallest for the time with σ/τ √trials seeds: σ/τ was
// 2.6 on digits, and tune has 16 trials.
const tunedSeeds = "0-9"

// studyCommand is `diaghess study`, the main job.
func studyCommand() *cli.Command {
	flags := []cli.Flag{
		list(&cli.StringFlag{Name: "datasets", Value: "cifar10", Usage: "train on the datasets of `LIST`: " + dataDescription()}),
		list(&cli.StringFlag{Name: "optimizers", Value: "adamw,diaghess", Usage: "compare the optimizers of `LIST`, or the best trials of one or several tunings, @FILE; the first is the baseline"}),
		list(&cli.StringFlag{Name: "seeds", Value: "0-19", DefaultText: "0-19, or " + tunedSeeds + " in each of several tunings", Usage: fmt.Sprintf(
			"train from each random seed of `LIST`: numbers and ranges; of several tunings the second has these plus %d, the third plus %d, and so on", record.SeedStride, 2*record.SeedStride)}),
	}
	flags = append(append(flags, presetFlag()), settingsFlags()...)
	flags = append(flags, outFlag("results/study"), forceFlag())
	flags = append(flags, datasetFlags()...)
	flags = append(flags, machineFlags()...)
	flags = append(flags, parallelFlag(), shardFlag("that part of the pairs, in a folder of its own in DIR of --out"),
		whole(&cli.IntFlag{Name: "keep-checkpoints", Usage: "keep `N` checkpoints of each run, for diaghess audit --steps to start from"}, 0, 100),
		&cli.BoolFlag{Name: "allow-other-tuning", Usage: "take @FILE although it was tuned for another study, such as another model; the report says what differs"},
		&cli.StringFlag{Name: "plan", Usage: "take the study's plan from `FILE`; without that file, write it there too, before the first run; the report says whether the plan was followed"},
		&cli.StringFlag{Name: "metric", Usage: "plan to decide by `NAME`: " + strings.Join(record.Metrics(), ", "), DefaultText: record.DefaultMetric},
		&cli.StringFlag{Name: "until", Usage: "plan to stop comparisons early, at --looks, when they are `decided`"},
		list(&cli.StringFlag{Name: "looks", Usage: "plan to look at the results at a `LIST` of numbers of seeds or tunings, the last of which is all", DefaultText: "half, three quarters and all with --until decided: 10,15,20 of 20"}),
		list(&cli.StringFlag{Name: "margins", Usage: "plan a `LIST` of differences too small to matter, such as val_acc=0.005; the report compares the intervals with them"}),
		&cli.StringFlag{Name: "note", Usage: "put `TEXT` into the plan, which the report shows: what only the authors can know"})
	flags = append(flags, slurmFlags()...)
	return strict(&cli.Command{
		Name:  "study",
		Usage: "train every optimizer on every dataset from every random seed, in pairs, and compare them",
		Description: "The same command resumes an interrupted study. Its plan is written before the first run and made once: what is compared,\n" +
			"by which metric, with which seeds and settings. A report says what was not planned.\n\n" + presetHelp() + "\n" + specHelp(),
		Flags:  flags,
		Action: runStudy,
	})
}

func runStudy(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	preset, changed, err := usePreset(c)
	if err != nil {
		return err
	}
	var rules []optim.Rule
	var tuned *record.Tuned
	path, isTuned := strings.CutPrefix(c.String("optimizers"), "@")
	if isTuned {
		var best [][]optim.Rule
		if tuned, err = record.ReadTuned(path); err == nil {
			best, err = study.Best(tuned)
		}
		rules = slices.Concat(best...)
	} else {
		rules, _, err = optimizers(c, c.String("optimizers"), c.String("out"))
	}
	if err != nil {
		return err
	}
	s, err := studyOf(c, c.String("protocol"), rules)
	if err != nil {
		return err
	}
	if s.Datasets, s.Data, err = openDatasets(c, c.String("datasets")); err != nil {
		return err
	}
	if s.Seeds, err = seeds(c.String("seeds")); err != nil {
		return err
	}
	if isTuned {
		if err := useTuned(c, s, tuned, path); err != nil {
			return err
		}
	} else {
		s.Optimizers = rules
	}
	s.Parallel, s.KeepCheckpoints = c.Int("parallel"), c.Int("keep-checkpoints")
	if s.Intent, err = intent(c, s); err != nil {
		return err
	}
	s.Intent.Preset, s.Intent.PresetChanged = preset, changed
	if c.IsSet("slurm") {
		out := s.Out
		s.Shard = record.Shard{Of: c.Int("slurm")}
		s.Out = filepath.Join(out, s.Shard.Folder())
		if err := s.CheckShard(); err != nil {
			return err
		}
		return slurm(c, out, []string{"report", operand(out), "--out", operand(out)})
	}
	if err := inShard(c, s); err != nil {
		return err
	}
	release, err := hold(c, s)
	if err != nil {
		return err
	}
	defer release()
	analysis, err := conduct(c, s)
	if err != nil || analysis == nil {
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

// conduct does a study with its progress on standard error, and compares its runs, but not those
// of a shard. It says so where another program made some of them.
func conduct(c *cli.Context, s *study.Study) (*report.Analysis, error) {
	differences, err := s.Register(c.String("plan"))
	if err != nil {
		return nil, err
	}
	for _, difference := range differences {
		fmt.Fprintln(c.App.ErrWriter, "note:", difference)
	}
	s.Look = func(look int) (func(record.Job) bool, string, error) {
		rows, err := report.ReadFolder(s.Out)
		if err != nil {
			return nil, "", err
		}
		analysis, err := report.Compare(rows, s.Arms()[0])
		if err != nil {
			return nil, "", err
		}
		return func(job record.Job) bool { return analysis.Open(job.Dataset, job.Name()) }, analysis.AfterLook(look), nil
	}
	if err := conductRuns(c, s); err != nil {
		return nil, err
	}
	if s.Shard.Of > 0 {
		shardDone(c, s)
		return nil, nil
	}
	var rows []report.Row
	err = attend(c, "reading the runs of "+s.Out, false, func() (err error) {
		rows, err = report.ReadFolder(s.Out)
		return err
	})
	if err != nil {
		return nil, err
	}
	this := train.ThisBuild().String()
	for _, other := range distinctBuilds(rows) {
		if other != this {
			fmt.Fprintf(c.App.ErrWriter, "CAUTION: another program made runs in %s: %s. This one is %s. To train with it, choose another folder with --out.\n", s.Out, other, this)
		}
	}
	return report.Compare(rows, s.Arms()[0])
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

// useTuned takes a study's optimizers from the result of a tuning, which was read from a file.
func useTuned(c *cli.Context, s *study.Study, tuned *record.Tuned, path string) (err error) {
	if tuned.Tunings() > 1 && !c.IsSet("seeds") {
		if s.Seeds, err = seeds(tunedSeeds); err != nil {
			return err
		}
	}
	if err := s.Use(tuned, c.Bool("allow-other-tuning")); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// intent reads what a plan says beside the runs.
func intent(c *cli.Context, s *study.Study) (i study.Intent, err error) {
	i.Metric = c.String("metric")
	if note := c.String("note"); note != "" {
		i.Notes = []string{note}
	}
	if i.Metric != "" && !slices.Contains(record.Metrics(), i.Metric) {
		return i, nearest.Unknown("metric", i.Metric, record.Metrics())
	}
	if i.Margins, err = margins(c.String("margins")); err != nil {
		return i, err
	}
	if until := c.String("until"); until != "" && until != "decided" {
		return i, fmt.Errorf("--until %s: a study can go on until it is decided; --seeds says how many seeds it has at most", until)
	}
	for _, number := range names(c.String("looks")) {
		n, err := strconv.Atoi(number)
		if err != nil {
			return i, fmt.Errorf("--looks: %s is not a number: give numbers of seeds or tunings, such as 10,15,20", shown(number))
		}
		i.Looks = append(i.Looks, n)
	}
	if i.Looks == nil && c.IsSet("until") {
		units := cmp.Or(len(s.Tunings), len(s.Seeds))
		if units < stats.VerdictFrom {
			return i, fmt.Errorf("--until decided: a verdict needs %d seeds or, where there are some, tunings, and the study has %d", stats.VerdictFrom, units)
		}
		i.Looks = study.DefaultLooks(units)
	}
	return i, nil
}

// margins reads a list of margins, metric=number,..., which may be empty.
func margins(list string) (map[string]float64, error) {
	var all map[string]float64
	for _, element := range names(list) {
		metric, number, _ := strings.Cut(element, "=")
		margin, err := keys.ParseNumber(number)
		if err != nil {
			return nil, fmt.Errorf("margin %q: give metric=number, such as val_acc=0.005", element)
		}
		if _, twice := all[metric]; twice {
			return nil, fmt.Errorf("margin of %s is given twice", metric)
		}
		if all == nil {
			all = map[string]float64{}
		}
		all[metric] = margin
	}
	return all, nil
}

// studyOf reads the flags that study, train and tune share, but for the device, the protocol and
// the optimizers.
func studyOf(c *cli.Context, protocol string, optimizers []optim.Rule) (*study.Study, error) {
	s, err := settings(c, protocol, optimizers)
	if err == nil {
		err = devices.Check(deviceOptions(c)) // before a plan is made
	}
	return &study.Study{
		Settings: s, Out: c.String("out"), Force: c.Bool("force"), Data: shelf(c.String("data")),
		Library: c.String("library"), Threads: c.Int("threads"),
	}, err
}

// observe shows the progress of a study on standard error, until finish is called. Where nobody
// reads that any more, as after Ctrl-C in a pipe, the study still stops in order.
func observe() (observer study.Observer, finish func()) {
	signal.Ignore(syscall.SIGPIPE)
	return progress.New(os.Stderr)
}

// hold keeps other processes out of a study's folder until release is called. What is wrong with
// the study it says before there is a folder.
func hold(c *cli.Context, s *study.Study) (release func() error, err error) {
	if _, err := s.Jobs(); err != nil {
		return nil, err
	}
	if err := checkOut(s.Out); err != nil {
		return nil, err
	}
	if err := chooseDevice(c, s); err != nil {
		return nil, err
	}
	return s.Hold(c.Context, c.String("plan"))
}

// chooseDevice sets a study's device, unless it has one already.
func chooseDevice(c *cli.Context, s *study.Study) (err error) {
	if s.Device == "" {
		s.Device, err = device(c)
	}
	return err
}

// conductRuns does a study's runs with their progress on standard error.
func conductRuns(c *cli.Context, s *study.Study) error {
	if _, err := s.Jobs(); err != nil {
		return err
	}
	if err := checkOut(s.Out); err != nil {
		return err
	}
	if err := chooseDevice(c, s); err != nil {
		return err
	}
	observer, finish := observe()
	err := s.Run(c.Context, observer)
	finish()
	return err
}
