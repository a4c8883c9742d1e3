package main

import (
	"fmt"
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
	"diaghess/train/lock"
	"diaghess/train/record"
)

// settingsFlags choose a run's settings.
func settingsFlags() []cli.Flag {
	s := train.DefaultSettings()
	return []cli.Flag{
		&cli.StringFlag{Name: "model", Value: s.Model, Usage: "train the network `NAME`: " + strings.Join(layers.Models(), ", ")},
		&cli.IntFlag{Name: "epochs", Value: s.Epochs, Usage: "passes over the training pictures"},
		&cli.IntFlag{Name: "batch", Value: s.Batch, Usage: "pictures per step"},
		&cli.StringFlag{Name: "protocol", Value: s.Protocol, Usage: "choose the validation pictures by `NAME`: pilot (the test set, as the pilot did) or holdout (5,000 training pictures kept aside; the test set is used once, at the end)"},
		augmentFlag(),
		&cli.IntFlag{Name: "limit", Usage: "train on the first `N` pictures, for a quick look; 0 for all"},
		&cli.Float64Flag{Name: "label-smoothing", Usage: "share of each label that is spread over all classes, in training"},
	}
}

func settings(c *cli.Context) record.Settings {
	return record.Settings{
		Model: c.String("model"), Epochs: c.Int("epochs"), Batch: c.Int("batch"), Protocol: c.String("protocol"),
		Augment: c.String("augment"), Limit: c.Int("limit"), LabelSmoothing: c.Float64("label-smoothing"), Math: c.String("math"),
	}
}

func augmentFlag() cli.Flag {
	return &cli.StringFlag{Name: "augment", Value: train.DefaultSettings().Augment, Usage: fmt.Sprintf(
		"augment the training pictures by `NAME`: %s (flip mirrors left to right, crop shifts by up to %d pixels)",
		strings.Join(train.Augmentations(), ", "), train.CropPadding)}
}

// machineFlags choose where runs happen.
func machineFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "device", Value: "auto", Usage: "run on `NAME`: " + strings.Join(devices.Names(), ", ")},
		&cli.StringFlag{Name: "library", Usage: "take the cpu's convolutions from `NAME`: " + strings.Join(cpu.Libraries(), ", ") +
			" (default: the first); " + vector.Variable + "=none, avx2 or avx512 in the environment chooses the vector instructions"},
		&cli.StringFlag{Name: "math", Value: gpu.MathFP32, Usage: "arithmetic of a GPU's convolutions: fp32, or tf32, which is faster and rounds factors to 10 bits"},
		&cli.IntFlag{Name: "threads", Usage: "threads of a run on the cpu (default: the processors shared among the runs); does not change results"},
	}
}

func parallelFlag() cli.Flag {
	return &cli.IntFlag{Name: "parallel", Usage: "number of runs side by side (default: one per processor; on a GPU as many as fit in its memory, at most 40); does not change results"}
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
		return o.Name, nil
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

func dataFlag() cli.Flag {
	return &cli.StringFlag{Name: "data", Usage: "find datasets in `DIR` (default: diaghess/data in the platform's cache folder, or $DIAGHESS_DATA)"}
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
		if err != nil || hi < lo || hi-lo >= 1_000_000 {
			return nil, fmt.Errorf("seeds %q: give numbers and ranges such as 0-4,7", list)
		}
		for seed := lo; seed <= hi; seed++ {
			all = append(all, seed)
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

// optimizerHelp is the description of commands that take specs.
func optimizerHelp() string {
	return "An optimizer is name:key=value,... with these keys and defaults:\n\n" + optim.Help()
}

// dataDescription lists the datasets for a flag's help.
func dataDescription() string { return strings.Join(data.Names(), ", ") }

// noArguments refuses arguments of a command that takes flags alone.
func noArguments(c *cli.Context) error {
	if c.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: diaghess %s takes flags only, see --help", c.Args().First(), c.Command.Name)
	}
	return nil
}
