package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/gpu/devices"
	"diaghess/gpu/vector"
	"diaghess/layers"
	"diaghess/optim"
	"diaghess/train"
	"diaghess/train/data"
	"diaghess/train/data/sets"
	"diaghess/train/lock"
	"diaghess/train/record"
	"diaghess/train/study"
)

// settingsFlags choose a run's settings.
func settingsFlags() []cli.Flag {
	s := train.DefaultSettings()
	return []cli.Flag{
		modelFlag("train", s.Model),
		&cli.IntFlag{Name: "epochs", Value: s.Epochs, Usage: "passes over the training pictures"},
		&cli.IntFlag{Name: "batch", Value: s.Batch, Usage: "pictures per step"},
		&cli.StringFlag{Name: "protocol", Value: s.Protocol, Usage: "choose the validation pictures by `NAME`: pilot (the test set, as the pilot did) or holdout (5,000 training pictures kept aside; the test set is used once, at the end)"},
		augmentFlag(),
		&cli.IntFlag{Name: "limit", Usage: "train on the first `N` pictures, for a quick look; 0 for all"},
		&cli.Float64Flag{Name: "label-smoothing", Usage: "share of each label that is spread over all classes, in training"},
		&cli.StringFlag{Name: "endpoint", Usage: "compute a run's outcome from `NAME`: last (epoch), mean-last-K (the mean over the last K epochs) or best-val (the epoch of the best validation accuracy, holdout only). " +
			"The test set of holdout is measured once: with the weights of best-val, else with the last ones " +
			"(default: last under the protocol pilot, else " + string(record.DefaultEndpoint(record.ProtocolHoldout)) + ")"},
		&cli.StringFlag{Name: "average", Value: string(s.Average), Usage: "evaluate averaged weights: none, or `ema=DECAY`, their exponential moving average over the steps; does not change training"},
		&cli.IntFlag{Name: "recalibrate", Usage: "before each evaluation recompute the statistics of batch normalization on `N` training pictures; " +
			"0 takes the moving ones; does not change training", DefaultText: "16 batches with --average and optimizers that have weights of their own for evaluation, else 0"},
		&cli.BoolFlag{Name: "evaluate-train", Usage: "after each epoch measure the training pictures too, without dropout; takes time, and does not change training"},
	}
}

// settings reads the flags of a run under a protocol, on which the default endpoint depends, with
// some optimizers, on which that of the statistics does.
func settings(c *cli.Context, protocol string, optimizers []optim.Rule) (record.Settings, error) {
	s := record.Settings{
		Model: model(c), Epochs: c.Int("epochs"), Batch: c.Int("batch"), Protocol: protocol,
		Augment: c.String("augment"), Limit: c.Int("limit"), LabelSmoothing: c.Float64("label-smoothing"), Math: c.String("math"),
		Endpoint: cmp.Or(record.Endpoint(c.String("endpoint")), record.DefaultEndpoint(protocol)), Recalibrate: c.Int("recalibrate"), EvaluateTrain: c.Bool("evaluate-train"),
	}
	var err error
	if s.Average, err = record.ParseAverage(c.String("average")); err != nil {
		return s, fmt.Errorf("--average %w", err)
	}
	if !c.IsSet("recalibrate") {
		s.Recalibrate = train.DefaultRecalibrate(s, optimizers)
	}
	return s, nil
}

// modelFlag is the network that a verb is for.
func modelFlag(verb, value string) cli.Flag {
	return &cli.StringFlag{Name: "model", Value: value, Usage: verb + " the network `SPEC`, name or name:key=value,... with a name of " +
		strings.Join(layers.Models(), ", ") + "; diaghess train --help lists the keys"}
}

// model returns the spec of the modelFlag in its shortest form. What is wrong with it
// train.ValidateSettings says.
func model(c *cli.Context) string {
	spec := c.String("model")
	if short, err := layers.ModelSpec(spec); err == nil {
		return short
	}
	return spec
}

func augmentFlag() cli.Flag {
	return &cli.StringFlag{Name: "augment", Value: train.DefaultSettings().Augment, Usage: fmt.Sprintf(
		"augment the training pictures by `NAME`: %s (flip mirrors left to right, crop shifts by up to %d pixels)",
		strings.Join(train.Augmentations(), ", "), train.CropPadding)}
}

// mostThreads bounds threads and runs side by side: more than any machine has processors.
const mostThreads = 1024

// machineFlags choose where runs happen.
func machineFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "device", Value: "auto", Usage: "run on `NAME`: " + strings.Join(devices.Names(), ", ") +
			"; of several GPUs a study and a tuning take all with cuda, or those of a list such as cuda:0,cuda:2, other commands the first"},
		&cli.StringFlag{Name: "library", Usage: "take the cpu's convolutions from `NAME`: " + strings.Join(cpu.Libraries(), ", ") +
			" (default: the first); " + vector.Variable + "=none, avx2 or avx512 in the environment chooses the vector instructions"},
		&cli.StringFlag{Name: "math", Value: gpu.MathFP32, Usage: "arithmetic of a GPU's convolutions: fp32, or tf32, which is faster and rounds factors to 10 bits"},
		whole(&cli.IntFlag{Name: "threads", Usage: "threads of a run on the cpu (default: the processors shared among the runs); does not change results"}, 0, mostThreads),
	}
}

func parallelFlag() cli.Flag {
	return whole(&cli.IntFlag{Name: "parallel", Usage: "number of runs side by side on each device (default: one per processor; on a GPU as many as fit in its memory, at most 32); does not change results"}, 0, mostThreads)
}

// profileFlag has a profiler record steps.
func profileFlag(which string) cli.Flag {
	return &cli.BoolFlag{Name: "profile", Usage: "let a profiler record a few steps on a GPU, " + which + ", op by op (start it as nsys profile -c cudaProfilerApi --capture-range-end=stop)"}
}

// device reads the device's name. It says in a short line what auto stands for, so it
// is called once the other flags are known to be right.
func device(c *cli.Context) (string, error) {
	o := deviceOptions(c)
	if o.Name != "auto" {
		_, err := devices.All(o.Name)
		return o.Name, err
	}
	name, why, err := devices.Choose(o)
	if err == nil {
		fmt.Fprintln(c.App.ErrWriter, shortened("device "+name+": "+why, "...; see diaghess devices"))
	}
	return name, err
}

func deviceOptions(c *cli.Context) devices.Options {
	return devices.Options{
		Name: c.String("device"), Threads: c.Int("threads"), Library: c.String("library"), Math: c.String("math"),
	}
}

// shortened returns the first line of a text. It cuts one of more than 80 bytes between
// words, and says more at its end.
func shortened(text, more string) string {
	const length = 80
	line, _, _ := strings.Cut(text, "\n")
	if len(line) <= length {
		return line
	}
	line = line[:strings.LastIndexByte(line[:length-len(more)+1], ' ')]
	return strings.TrimRight(line, ":;,") + more
}

// openDevice opens the device of the machineFlags.
func openDevice(c *cli.Context) (gpu.Device, error) {
	o := deviceOptions(c)
	var err error
	if o.Name, err = device(c); err != nil {
		return nil, err
	}
	return devices.Open(o)
}

// outFlag and dataFlag are where records and datasets lie.
func outFlag(value string) cli.Flag {
	return &cli.StringFlag{Name: "out", Value: value, Usage: "write the records to `DIR`; if its file system has no flock, set the environment variable " + lock.Variable + "=file"}
}

// forceFlag allows to replace files in the folder of outFlag.
func forceFlag() cli.Flag {
	return &cli.BoolFlag{Name: "force", Usage: "replace files in the folder of --out that have the names of records or of a report, also if another program made them"}
}

// checkOut says why a folder for records cannot be made where it is to be.
func checkOut(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("--out %s: this is a file, not a folder: choose another folder", shown(dir))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a file above, or no access
		return fmt.Errorf("--out %s: %w: choose another folder", shown(dir), errors.Unwrap(err))
	}
	if target, linkErr := os.Readlink(dir); linkErr == nil && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--out %s: this is a link to %s, which does not exist: make that folder, or choose another", shown(dir), shown(target))
	}
	return nil
}

func dataFlag() cli.Flag {
	return &cli.StringFlag{Name: "data", Usage: "find datasets in `DIR` (default: diaghess/data in the platform's cache folder, or $DIAGHESS_DATA)"}
}

// datasetFlags are where datasets lie, and how they are split.
func datasetFlags() []cli.Flag {
	return []cli.Flag{dataFlag(), &cli.StringFlag{Name: "split", DefaultText: "the split of each dataset, or 0.2 where it has none",
		Usage: "keep the `PART` of the rows of each class for testing, chosen by the random seed, so that each seed has a split of its own"}}
}

// shelf is where a command finds datasets, given the folder of those that are fetched.
func shelf(folder string) data.Shelf {
	return data.Shelf{Dir: folder, Sources: sets.All(), CheckMemory: gpu.CheckMemory}
}

// openDatasets opens the datasets of a list, and returns their names and the shelf that they are on.
func openDatasets(c *cli.Context, list string) (names []string, on data.Shelf, err error) {
	on = shelf(c.String("data"))
	var defaults data.Options
	if split := c.String("split"); split != "" {
		if defaults.Split, err = data.ParseSplit(split); err != nil {
			return nil, on, fmt.Errorf("--%w", err)
		}
	}
	for _, spec := range data.SplitList(list) {
		name, err := on.Open(c.Context, spec, defaults)
		if err != nil {
			return nil, on, err
		}
		names = append(names, name)
	}
	return names, on, nil
}

// openDataset opens the one dataset of a command.
func openDataset(c *cli.Context) (name string, on data.Shelf, err error) {
	names, on, err := openDatasets(c, c.String("dataset"))
	if err == nil && len(names) != 1 {
		err = fmt.Errorf("--dataset %s: these are %d datasets: give one", shown(c.String("dataset")), len(names))
	}
	if err != nil {
		return "", on, err
	}
	return names[0], on, nil
}

// seeds reads a list of seeds and ranges, "0-4,7".
func seeds(list string) ([]int, error) {
	var all []int
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		lo, err := strconv.Atoi(first)
		hi := lo
		if err == nil && isRange {
			hi, err = strconv.Atoi(last)
		}
		switch {
		case errors.Is(err, strconv.ErrRange) || err == nil && max(lo, hi) > math.MaxInt32:
			return nil, fmt.Errorf("--seeds %s: %s is too large: a seed is at most %d", shown(list), shown(part), math.MaxInt32)
		case err != nil:
			return nil, fmt.Errorf("--seeds %s: %s is neither a number nor a range: give numbers and ranges such as 0-4,7", shown(list), shown(part))
		case hi < lo:
			return nil, fmt.Errorf("--seeds %s: the range %s is empty: give the smaller number first, %d-%d", shown(list), shown(part), hi, lo)
		case len(all)+hi-lo+1 > study.MostRuns:
			return nil, fmt.Errorf("--seeds %s: these are more than %d seeds: a study has at most so many runs", shown(list), study.MostRuns)
		}
		for i := range hi - lo + 1 { // hi may be the largest int
			all = append(all, lo+i)
		}
	}
	return all, nil
}

// names reads a list of names, a,b,c.
func names(list string) []string {
	var all []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			all = append(all, name)
		}
	}
	return all
}

// optimizers reads a list of specs. Where one names a rule file by the digest that records have,
// its text is taken from the runs of a study, which need not be there.
func optimizers(c *cli.Context, list, study string) ([]optim.Rule, optim.Texts, error) {
	texts := optim.Texts{}
	for _, spec := range optim.SplitList(list) {
		if name, _ := optim.Split(spec); !optim.IsReference(name) {
			continue
		}
		runs, err := record.BegunRuns(c.Context, study)
		if err != nil {
			return nil, nil, err
		}
		for _, run := range runs {
			if name, _ := optim.Split(run.Optimizer); optim.IsReference(name) {
				texts[name] = run.Rule
			}
		}
		break
	}
	rules, err := texts.ParseList(list)
	return rules, texts, err
}

// specHelp is the description of commands that take specs of optimizers and networks.
func specHelp() string {
	return "An optimizer is name:key=value,... with these keys and defaults:\n\n" + optim.Help() +
		"\nA network is name:key=value,... with these keys and defaults:\n\n" + layers.ModelHelp()
}

// dataDescription lists the datasets for a flag's help.
func dataDescription() string {
	return strings.Join(shelf("").Names(), ", ") + ", or PATH[:label=COLUMN,test=FILE,split=PART,scale=train|all|none] of your own"
}

// noArguments refuses arguments of a command that takes flags alone.
func noArguments(c *cli.Context) error {
	if c.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: %s takes flags only; see %s --help", c.Args().First(), c.Command.HelpName, c.Command.HelpName)
	}
	return nil
}
