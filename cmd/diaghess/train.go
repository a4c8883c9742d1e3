package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"diaghess/train/record"
)

// trainCommand is `diaghess train`: a study of one run, without a table.
func trainCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "dataset", Value: "cifar10", Usage: "train on the dataset `NAME`: " + dataDescription()},
		&cli.StringFlag{Name: "optimizer", Value: "diaghess", Usage: "train with `SPEC`"},
		&cli.IntFlag{Name: "seed", Usage: "random seed of weights, order and dropout"},
	}
	flags = append(flags, settingsFlags()...)
	flags = append(flags, outFlag("results/train"), forceFlag())
	flags = append(flags, datasetFlags()...)
	flags = append(flags, machineFlags()...)
	flags = append(flags, profileFlag("after the first 20"))
	return strict(&cli.Command{
		Name:        "train",
		Usage:       "train one network with one optimizer from one random seed",
		Description: "The same command resumes an interrupted run.\n\n" + specHelp(),
		Flags:       flags,
		Action:      runTrain,
	})
}

func runTrain(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	rules, _, err := optimizers(c, c.String("optimizer"), c.String("out"))
	if err != nil {
		return err
	}
	if len(rules) != 1 {
		return fmt.Errorf("--optimizer %s: these are %d optimizers: train one, or use diaghess study", shown(c.String("optimizer")), len(rules))
	}
	s, err := studyOf(c, c.String("protocol"), rules)
	if err != nil {
		return err
	}
	s.Datasets, s.Optimizers = make([]string, 1), rules
	if s.Datasets[0], s.Data, err = openDataset(c); err != nil {
		return err
	}
	s.Seeds = []int{c.Int("seed")}
	s.Profile = c.Bool("profile")
	if err := record.CheckSingle(s.Out); err != nil {
		return err
	}
	if err := conductRuns(c, s); err != nil {
		return err
	}
	folder, err := s.Folder()
	if err != nil {
		return err
	}
	fmt.Fprintln(c.App.ErrWriter, "record is in", folder)
	return nil
}
