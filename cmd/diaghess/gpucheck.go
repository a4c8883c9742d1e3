package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"diaghess/gpu"
	"diaghess/gpu/devices"
	"diaghess/kernels/kerneltest"
	"diaghess/nearest"
	"diaghess/optim"
	"diaghess/train"
	"diaghess/train/atomicfile"
	"diaghess/train/bench"
	"diaghess/train/record"
)

// gpuCheckCommand is `diaghess gpu-check`.
func gpuCheckCommand() *cli.Command {
	s := train.DefaultSettings()
	var parts []string
	for _, p := range (&gpuCheck{}).parts() {
		parts = append(parts, p.name)
	}
	return strict(&cli.Command{
		Name:  "gpu-check",
		Usage: "test and measure a GPU; writes one JSON file and prints one table",
		Description: "The parts are " + strings.Join(parts, ", ") + ". If one fails, the others still run. memcheck and racecheck need NVIDIA's compute-sanitizer. " +
			"golden needs the cases that make gpu-check packs. Without them these parts are skipped.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "device", Value: "cuda", Usage: "check `NAME`: " + strings.Join(devices.Names(), ", ")},
			&cli.StringFlag{Name: "math", Value: s.Math, Usage: "arithmetic of the convolutions: fp32 or tf32; golden is always fp32"},
			list(&cli.StringFlag{Name: "only", Usage: "run only the parts of `LIST`"}),
			&cli.StringFlag{Name: "out", Value: "gpu-check.json", Usage: "write the JSON to `FILE`"},
			&cli.StringFlag{Name: "sanitizer", Usage: "use the compute-sanitizer `FILE` (default: the one on PATH or in CUDA_HOME)"},
			&cli.StringFlag{Name: "golden", Usage: "find the golden cases in `DIR` (default: golden beside the program)"},
			list(&cli.StringFlag{Name: "optimizers", Value: "adamw,diaghess", Usage: "measure the optimizers of `LIST`"}),
			modelFlag("measure", s.Model),
			&cli.IntFlag{Name: "batch", Value: s.Batch, Usage: "pictures per step"},
			whole(&cli.IntFlag{Name: "block", Value: 50, Usage: "steps in a block; the host waits after each block"}, 1, bench.MostSteps),
			whole(&cli.IntFlag{Name: "blocks", Value: 20, Usage: "number of blocks to measure"}, 1, bench.MostSteps),
			whole(&cli.IntFlag{Name: "copy-mb", Value: 256, Usage: "megabytes of each of the two buffers of the bandwidth measurement"}, 1, 4000),
			list(&cli.StringFlag{Name: "runs", Value: "1,8,20,40", Usage: "measure the throughput for each number of parallel runs of `LIST`"}),
			&cli.DurationFlag{Name: "time", Value: 5 * time.Second, Usage: "measure each throughput for about `TIME`"},
			list(&cli.StringFlag{Name: "streams", Value: "1,8,32,40", Usage: "measure limits for each number of streams of `LIST`"}),
			whole(&cli.IntFlag{Name: "epoch-runs", Value: pilotRuns, Usage: "runs of the part epoch"}, 1, mostThreads),
			whole(&cli.IntFlag{Name: "epoch-pictures", Value: pilotPictures, Usage: "training pictures of each run of the part epoch; fewer are random ones"}, 1, pilotPictures),
			dataFlag(),
		},
		Action: promptly(func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			check, err := newGPUCheck(c)
			if err != nil {
				return err
			}
			return check.run(c)
		}),
	})
}

// gpuCheck is a check of one device, and what it has found so far.
type gpuCheck struct {
	options    devices.Options
	workload   bench.Workload
	only       []string // names of parts; none for all
	program    string   // this program's file
	sanitizer  string   // the tool's file; "" to look for it
	golden     string   // folder of the cases
	copyBytes  int
	runs       []int
	throughput time.Duration // of each measurement
	streams    []int
	epoch      epochCheck
	report     gpuReport
}

// gpuReport is the JSON.
type gpuReport struct {
	Device      string             `json:"device"`
	Description string             `json:"description"` // with the card's name
	Build       record.Build       `json:"build"`
	Started     time.Time          `json:"started"`
	Seconds     float64            `json:"seconds"`
	Model       string             `json:"model"`
	Batch       int                `json:"batch"`
	Math        string             `json:"math"`
	Parts       []partReport       `json:"parts"`
	Bandwidth   float64            `json:"copy_bytes_per_second,omitempty"` // read and written
	Steps       []bench.StepCost   `json:"steps,omitempty"`
	Throughput  []bench.Throughput `json:"throughput,omitempty"`
	Limits      []bench.Limits     `json:"limits,omitempty"`
	Epoch       *epochReport       `json:"epoch,omitempty"`
}

// partReport is what became of a part.
type partReport struct {
	Name    string  `json:"part"`
	Status  string  `json:"status"` // passed, failed or skipped
	Seconds float64 `json:"seconds"`
	Note    string  `json:"note"`
}

// part is one of a check. Its note tells what was found beside an error.
type part struct {
	name string
	do   func(context.Context) (note string, err error)
}

// parts are all of them, in order.
func (g *gpuCheck) parts() []part {
	return []part{
		{"self-test", g.selfTest},
		{"memcheck", func(ctx context.Context) (string, error) { return g.sanitize(ctx, "memcheck") }},
		{"racecheck", func(ctx context.Context) (string, error) { return g.sanitize(ctx, "racecheck") }},
		{"golden", g.goldenTest},
		{"bandwidth", g.measureBandwidth},
		{"steps", g.measureSteps},
		{"throughput", g.measureThroughput},
		{"limits", g.measureLimits},
		{"epoch", g.trainEpoch},
	}
}

// skipped is the error of a part that lacks something it needs.
type skipped string

func (s skipped) Error() string { return string(s) }

// errGPUCheck says that a part failed.
var errGPUCheck = errors.New("a part of the check failed")

// newGPUCheck reads the flags.
func newGPUCheck(c *cli.Context) (*gpuCheck, error) {
	s := train.DefaultSettings()
	s.Model, s.Batch, s.Math = model(c), c.Int("batch"), c.String("math")
	if err := train.ValidateSettings(s); err != nil {
		return nil, err
	}
	optimizers, err := optim.ParseList(c.String("optimizers"))
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the program's own file: %w", err)
	}
	g := &gpuCheck{
		options:  devices.Options{Math: s.Math},
		workload: bench.Workload{Settings: s, Optimizers: optimizers, Classes: 10, Block: c.Int("block"), Blocks: c.Int("blocks")},
		only:     names(c.String("only")), program: program,
		sanitizer: c.String("sanitizer"), golden: c.String("golden"),
		copyBytes: c.Int("copy-mb") * 1e6, throughput: c.Duration("time"),
	}
	if g.golden == "" {
		g.golden = filepath.Join(filepath.Dir(program), "golden")
	}
	if g.throughput <= 0 || g.throughput > time.Hour {
		return nil, fmt.Errorf("--time %v: give a time above 0 and up to 1h", g.throughput)
	}
	if g.runs, err = counts(c, "runs"); err != nil {
		return nil, err
	}
	if g.streams, err = counts(c, "streams"); err != nil {
		return nil, err
	}
	if arms, n := len(g.workload.Optimizers), c.Int("epoch-runs"); n%arms > 0 {
		return nil, fmt.Errorf("--epoch-runs %d: every seed has a run of each optimizer: give a multiple of %d", n, arms)
	}
	g.epoch = epochCheck{runs: c.Int("epoch-runs"), pictures: c.Int("epoch-pictures"), data: shelf(c.String("data"))}
	for _, name := range g.only {
		var known []string
		for _, p := range g.parts() {
			known = append(known, p.name)
		}
		if !slices.Contains(known, name) {
			return nil, nearest.Unknown("part", name, known)
		}
	}
	g.options.Name, err = device(c)
	return g, err
}

// counts reads a flag that is a list of numbers of runs.
func counts(c *cli.Context, flag string) (all []int, err error) {
	for _, n := range names(c.String(flag)) {
		count, err := strconv.Atoi(n)
		if err != nil || count < 1 || count > mostThreads {
			return nil, fmt.Errorf("--%s %s: %s is not a number of runs: give numbers from 1 to %d, such as 1,4,16", flag, shown(c.String(flag)), shown(n), mostThreads)
		}
		all = append(all, count)
	}
	return all, nil
}

// run does the parts. What has been found is written after each, so that a crash loses
// one.
func (g *gpuCheck) run(c *cli.Context) error {
	g.report = gpuReport{
		Build: train.ThisBuild(), Started: time.Now().UTC().Truncate(time.Second),
		Model: g.workload.Model, Batch: g.workload.Batch, Math: g.workload.Math,
	}
	// What has no device has nothing to check.
	err := g.withDevice(func(d gpu.Device) error {
		g.report.Device, g.report.Description = d.Name(), d.Description()
		return nil
	})
	if err != nil {
		return err
	}
	if err := g.writable(c.String("out")); err != nil {
		return err
	}
	failed := false
	for _, p := range g.parts() {
		if len(g.only) > 0 && !slices.Contains(g.only, p.name) {
			continue
		}
		fmt.Fprintf(c.App.ErrWriter, "%s ...\n", p.name)
		start := time.Now()
		note, err := p.do(c.Context)
		if err := c.Context.Err(); err != nil { // the part was interrupted: it has no outcome
			return err
		}
		r := partReport{Name: p.name, Status: "passed", Note: note}
		var skip skipped
		switch {
		case errors.As(err, &skip):
			r.Status, r.Note = "skipped", skip.Error()
		case err != nil:
			r.Status, r.Note = "failed", strings.TrimSpace(note+"\n"+err.Error())
			failed = true
		}
		r.Seconds = time.Since(start).Seconds()
		g.report.Parts = append(g.report.Parts, r)
		g.report.Seconds = time.Since(g.report.Started).Seconds()
		if err := g.write(c.String("out")); err != nil {
			return err
		}
	}
	printGPUReport(c.App.Writer, g.report)
	if failed {
		return errGPUCheck
	}
	return nil
}

// writable says why the JSON could not be written, and refuses to replace what is not the JSON of a
// check.
func (g *gpuCheck) writable(file string) error {
	old, err := record.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if err = g.write(file); err == nil {
			err = os.Remove(file)
		}
		return err
	}
	var last gpuReport
	if err == nil && (json.Unmarshal(old, &last) != nil || last.Device == "") {
		err = fmt.Errorf("%s holds something else than the result of a check", shown(file))
	}
	if err != nil {
		return fmt.Errorf("%w: name another file with --out", err)
	}
	return nil
}

// write writes the JSON.
func (g *gpuCheck) write(file string) error {
	text, err := json.MarshalIndent(g.report, "", "  ")
	if err == nil {
		err = atomicfile.WriteBytes(file, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write the check's result (--out names another file): %w", err)
	}
	return nil
}

// withDevice opens the device for a part, so that one does not see what another left.
func (g *gpuCheck) withDevice(body func(gpu.Device) error) error {
	device, err := devices.Open(g.options)
	if err != nil {
		return err
	}
	return errors.Join(body(device), device.Close())
}

func (g *gpuCheck) selfTest(ctx context.Context) (note string, err error) {
	err = g.withDevice(func(d gpu.Device) error {
		checks, err := kerneltest.SelfTest(ctx, d)
		note = fmt.Sprintf("%d checks of kernels and convolutions", checks)
		return err
	})
	return note, err
}

func (g *gpuCheck) measureBandwidth(ctx context.Context) (note string, err error) {
	err = g.withDevice(func(d gpu.Device) error {
		return gpu.WithStream(d, func(stream gpu.Stream) (err error) {
			g.report.Bandwidth, err = bench.CopyBandwidth(ctx, stream, g.copyBytes, g.workload.Block, g.workload.Blocks)
			note = fmt.Sprintf("%.1f GB/s, read and written, with two buffers of %.0f MB", g.report.Bandwidth/1e9, float64(g.copyBytes)/1e6)
			return err
		})
	})
	return note, err
}

func (g *gpuCheck) measureSteps(ctx context.Context) (note string, err error) {
	err = g.withDevice(func(d gpu.Device) error {
		return gpu.WithStream(d, func(stream gpu.Stream) (err error) {
			g.report.Steps, err = g.workload.Steps(ctx, stream)
			note = fmt.Sprintf("medians of %d blocks of %d steps", g.workload.Blocks, g.workload.Block)
			return err
		})
	})
	return note, err
}

// measureThroughput goes as far as memory does.
func (g *gpuCheck) measureThroughput(ctx context.Context) (note string, err error) {
	note = fmt.Sprintf("about %v each", g.throughput)
	for _, runs := range g.runs {
		err := g.withDevice(func(d gpu.Device) error {
			t, err := g.workload.Throughput(ctx, d, runs, g.throughput)
			if err == nil {
				g.report.Throughput = append(g.report.Throughput, t)
			}
			return err
		})
		var full *gpu.OutOfMemory
		switch {
		case errors.As(err, &full) && len(g.report.Throughput) > 0:
			note += fmt.Sprintf("; %d runs are too many: %v", runs, full)
		case err != nil:
			return note, fmt.Errorf("%d runs at once: %w", runs, err)
		}
	}
	return note, nil
}

// limitsTime is how long limits measures each program of each number of streams at most.
const limitsTime = 2 * time.Second

func (g *gpuCheck) measureLimits(ctx context.Context) (note string, err error) {
	err = g.withDevice(func(d gpu.Device) (err error) {
		g.report.Limits, err = g.workload.Limits(ctx, d, g.streams, min(limitsTime, g.throughput))
		return err
	})
	if n := len(g.report.Limits); n > 0 {
		note = g.report.Limits[n-1].Verdict()
		if n < len(g.streams) {
			note += "; more streams do not fit"
		}
	}
	return note, err
}
