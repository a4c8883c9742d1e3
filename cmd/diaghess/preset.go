package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"diaghess/nearest"
	"diaghess/train/record"
)

// preset is a study of the pilot, as the flags of diaghess study that make it.
type preset struct {
	name, what string
	flags      [][2]string // names without --, and values
}

// presets are the studies of the pilot. Its custom arm had the exact diagonal of its perceptron's
// Hessian at every step, which is ggn-exact without an average; see docs/statistics.md.
func presets() []preset {
	cnn := func(dataset, epochs string) [][2]string {
		return [][2]string{
			{"datasets", dataset}, {"model", "pilotcnn"}, {"optimizers", "adamw,diaghess"},
			{"seeds", "0-19"}, {"epochs", epochs}, {"batch", "64"}, {"protocol", record.ProtocolPilot},
		}
	}
	return []preset{
		{record.PresetPilotMLP, "the pilot's study of perceptrons, with one network for all arms", [][2]string{
			{"datasets", "mnist,cifar10"}, {"model", "mlp"},
			{"optimizers", "diaghess:curvature=ggn-exact,decay=0,adam,adamw:weight-decay=0.0001,adabelief"},
			{"seeds", "0-6"}, {"epochs", "250"}, {"batch", "128"}, {"protocol", record.ProtocolPilot},
			{"label-smoothing", "0.025"}, {"evaluate-train", "true"},
			{"note", "The pilot compared unlike networks: its baselines had batch normalization after each activation, its custom arm none. Here all arms have the same network, and losses of the same kind."},
		}},
		{"pilot-cnn", "the pilot's study of convolutional networks on CIFAR-10", cnn("cifar10", "50")},
		{"pilot-cnn-100", "the same on CIFAR-100, which had more epochs", cnn("cifar100", "60")},
	}
}

// presetFlag chooses one of the presets.
func presetFlag() cli.Flag {
	return &cli.StringFlag{Name: "preset", Usage: "take the flags of the study `NAME`, except for those that are given: " + strings.Join(presetNames(), ", ")}
}

func presetNames() (names []string) {
	for _, p := range presets() {
		names = append(names, p.name)
	}
	return names
}

func flagNames(flags []cli.Flag) (names []string) {
	for _, f := range flags {
		names = append(names, f.Names()[0])
	}
	return names
}

// presetHelp lists what presets stand for.
func presetHelp() string {
	var b strings.Builder
	b.WriteString("Presets are the flags of the pilot's studies. Flags that are given override theirs, and the plan says which.\n")
	for _, p := range presets() {
		fmt.Fprintf(&b, "  %s: %s\n", p.name, p.what)
		for _, f := range append(p.flags, [2]string{"out", p.out()}) {
			fmt.Fprintf(&b, "    --%-15s  %s\n", f[0], f[1])
		}
	}
	return b.String()
}

// out is the study's folder.
func (p preset) out() string { return "results/" + p.name }

// usePreset sets the flags of the preset that is asked for, if any, except for those that are
// given. It returns the preset's name, and those that make the study another one.
func usePreset(c *cli.Context) (name string, changed []string, err error) {
	if name = c.String("preset"); name == "" {
		return "", nil, nil
	}
	place := slices.Index(presetNames(), name)
	if place < 0 {
		return "", nil, nearest.Unknown("preset", name, presetNames())
	}
	p := presets()[place]
	for _, flag := range append([]string{"datasets", "optimizers", "seeds", "math"}, flagNames(settingsFlags())...) {
		if c.IsSet(flag) {
			changed = append(changed, flag)
		}
	}
	for _, f := range append(p.flags, [2]string{"out", p.out()}) {
		if !c.IsSet(f[0]) {
			if err := c.Set(f[0], f[1]); err != nil {
				return "", nil, err
			}
		}
	}
	return name, changed, nil
}
