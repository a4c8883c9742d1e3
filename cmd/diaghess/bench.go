package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/urfave/cli/v2"

	"diaghess/gpu"
	"diaghess/optim"
	"diaghess/train"
	"diaghess/train/bench"
)

// benchCommand is `diaghess bench`.
func benchCommand() *cli.Command {
	s := train.DefaultSettings()
	flags := []cli.Flag{
		list(&cli.StringFlag{Name: "optimizers", Value: "adamw,diaghess", Usage: "measure a step of each of `LIST`"}),
		modelFlag("measure", s.Model),
		&cli.IntFlag{Name: "batch", Value: s.Batch, Usage: "pictures per step"},
		augmentFlag(),
		whole(&cli.IntFlag{Name: "classes", Value: 10, Usage: "number of classes of the network"}, 2, 256),
		whole(&cli.IntFlag{Name: "repeats", Value: 20, Usage: "number of steps to measure"}, 1, bench.MostSteps),
		profileFlag("of the first optimizer, at the end"),
		&cli.BoolFlag{Name: "json", Usage: "write JSON"},
	}
	return strict(&cli.Command{
		Name:  "bench",
		Usage: "measure a training step on random 32x32x3 pictures, and compare each kind of kernel with the work that it needs",
		Flags: append(flags, machineFlags()...),
		Action: promptly(func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			return runBench(c)
		}),
	})
}

func runBench(c *cli.Context) error {
	settings := train.DefaultSettings()
	settings.Model, settings.Batch, settings.Augment, settings.Math = model(c), c.Int("batch"), c.String("augment"), c.String("math")
	if err := train.ValidateSettings(settings); err != nil {
		return err
	}
	if c.Int("repeats") < 1 || c.Int("classes") < 2 || c.Int("classes") > 256 {
		return fmt.Errorf("%d repeats of %d classes: give at least 1 repeat and 2 to 256 classes", c.Int("repeats"), c.Int("classes"))
	}
	optimizers, err := optim.ParseList(c.String("optimizers"))
	if err != nil {
		return err
	}
	device, err := openDevice(c)
	if err != nil {
		return err
	}
	defer device.Close()
	stream, err := device.NewStream()
	if err != nil {
		return err
	}
	defer stream.Close()
	var profiler gpu.Tracer
	if c.Bool("profile") {
		if profiler, err = train.TracerOf(stream); err != nil {
			return err
		}
	}
	workload := bench.Workload{Settings: settings, Optimizers: optimizers, Classes: c.Int("classes"), Block: 1, Blocks: c.Int("repeats")}
	costs, err := workload.Steps(c.Context, stream)
	if err != nil {
		return err
	}
	if err := printBench(c, device, workload, costs); err != nil || profiler == nil {
		return err
	}
	return workload.Trace(c.Context, stream, profiler)
}

// printBench prints what was measured, as JSON or as tables.
func printBench(c *cli.Context, device gpu.Device, w bench.Workload, costs []bench.StepCost) error {
	if c.Bool("json") {
		encoder := json.NewEncoder(c.App.Writer)
		encoder.SetIndent("", "  ")
		return encoder.Encode(struct {
			Device  string           `json:"device"`
			Machine string           `json:"machine"`
			Batch   int              `json:"batch"`
			Repeats int              `json:"repeats"`
			Steps   []bench.StepCost `json:"steps"`
		}{device.Name(), device.Description(), w.Batch, w.Blocks, costs})
	}
	fmt.Fprintf(c.App.Writer, "%s: %s\n%s, batch %d, medians of %d\n\n", device.Name(), device.Description(), w.Model, w.Batch, w.Blocks)
	for _, cost := range costs {
		printFamilies(c.App.Writer, cost)
	}
	printSteps(c.App.Writer, costs, w.Batch)
	return nil
}

// printFamilies prints where a step's time goes.
func printFamilies(w io.Writer, cost bench.StepCost) {
	var sum bench.FamilyCost
	for _, f := range cost.Families {
		sum.Launches += f.Launches
		sum.Time += f.Time
		sum.Bytes += f.Bytes
		sum.Flops += f.Flops
	}
	sum.Entry = "sum"
	counted := slices.ContainsFunc(cost.Families, func(f bench.FamilyCost) bool { return f.Traffic != nil })
	header := table.Row{"op", "launches", "ms", "share", "needed MB", "GB/s", "needed GFLOP", "GFLOP/s"}
	if counted {
		header = append(header, "asked MB", "moved MB", "moved/needed", "instructions M", "bank conflicts", "divergent")
	}
	t := newTable(header)
	t.SetTitle("a step of " + cost.Optimizer)
	for _, f := range append(cost.Families, sum) {
		seconds := f.Time.Seconds()
		row := table.Row{f.Entry, f.Launches,
			millis(f.Time), fmt.Sprintf("%.1f %%", 100*seconds/sum.Time.Seconds()),
			megabytes(f.Bytes), fmt.Sprintf("%.1f", float64(f.Bytes)/1e9/seconds),
			fmt.Sprintf("%.3f", float64(f.Flops)/1e9), fmt.Sprintf("%.1f", float64(f.Flops)/1e9/seconds)}
		if traffic := f.Traffic; traffic != nil {
			const sector = 32 // bytes
			row = append(row, megabytes(traffic.Bytes), megabytes(sector*traffic.Sectors),
				fmt.Sprintf("%.3f", sector*float64(traffic.Sectors)/float64(f.Bytes)),
				fmt.Sprintf("%.2f", float64(traffic.ThreadInstructions)/1e6), traffic.BankConflicts, traffic.DivergentBranches)
		}
		t.AppendRow(row)
	}
	fmt.Fprintf(w, "%s\n\n", t.Render())
}

// newTable makes a table without borders, numbers at the right.
func newTable(header table.Row) table.Writer {
	t := table.NewWriter()
	style := table.StyleLight
	style.Format.Header = text.FormatDefault
	style.Options = table.Options{SeparateHeader: true}
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	t.AppendHeader(header)
	var columns []table.ColumnConfig
	for i := 2; i <= len(header); i++ {
		columns = append(columns, table.ColumnConfig{Number: i, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(columns)
	return t
}

// printSteps prints whole steps, and the ratio of their mean to the first
// optimizer's.
func printSteps(w io.Writer, costs []bench.StepCost, batch int) {
	t := newTable(table.Row{"step", "ms", "fastest ms", "with estimate ms", "mean ms", "images/s", "ratio", "evaluation ms", "memory MB", "graph nodes"})
	for _, c := range costs {
		estimate, nodes := "", ""
		if c.Nodes > 0 {
			nodes = fmt.Sprint(c.Nodes)
		}
		if c.Estimate > 0 {
			estimate = millis(c.Estimate)
		}
		t.AppendRow(table.Row{c.Optimizer, millis(c.Step), millis(c.Fastest), estimate, millis(c.Mean), fmt.Sprintf("%.0f", float64(batch)/c.Mean.Seconds()),
			fmt.Sprintf("%.3f", c.Mean.Seconds()/costs[0].Mean.Seconds()), millis(c.Evaluate), megabytes(c.Memory), nodes})
	}
	fmt.Fprintln(w, t.Render())
}

func millis(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()*1e3) }

func megabytes(n int64) string { return fmt.Sprintf("%.2f", float64(n)/1e6) }
