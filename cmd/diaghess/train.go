package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

// trainCommand is `diaghess train`: a study of one run, without a table.
func trainCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "dataset", Value: "cifar10", Usage: "train on the dataset `NAME`: " + dataDescription()},
		&cli.StringFlag{Name: "optimizer", Value: "diaghess", Usage: "train with `SPEC`"},
		&cli.IntFlag{Name: "seed", Usage: "random seed of weights, order and dropout"},
	}
	flags = append(flags, settingsFlags()...)
	flags = append(flags, outFlag("results/train"), dataFlag())
	flags = append(flags, machineFlags()...)
	flags = append(flags, profileFlag("after the first 20"))
	return &cli.Command{
		Name:        "train",
		Usage:       "train one network with one optimizer from one random seed",
		Description: "The same command resumes an interrupted run.\n\n" + optimizerHelp(),
		Flags:       flags,
		Action:      runTrain,
	}
}

func runTrain(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	s := studyOf(c)
	s.Datasets = []string{c.String("dataset")}
	s.Optimizers = []string{c.String("optimizer")}
	s.Seeds = []int{c.Int("seed")}
	s.Profile = c.Bool("profile")
	if err := run(c, s); err != nil {
		return err
	}
	folder, err := s.Folder()
	if err != nil {
		return err
	}
	fmt.Fprintln(c.App.ErrWriter, "record is in", folder)
	return nil
}
