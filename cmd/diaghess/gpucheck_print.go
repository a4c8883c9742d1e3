package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"diaghess/train/bench"
)

// printGPUReport prints a check for a person: what became of its parts, and the figures.
func printGPUReport(w io.Writer, r gpuReport) {
	fmt.Fprintf(w, "%s: %s\n%s, batch %d, %s; %s\n\n", r.Device, r.Description, r.Model, r.Batch, r.Math, r.Build)
	for _, p := range r.Parts {
		status := p.Status
		if status != "passed" {
			status = strings.ToUpper(status)
		}
		fmt.Fprintf(w, "%-11s %-7s %6.1f s  %s\n", p.Name, status, p.Seconds, strings.ReplaceAll(p.Note, "\n", "\n    "))
	}
	fmt.Fprintln(w)
	for _, s := range r.Steps {
		fmt.Fprintf(w, "%s\n\n", floors(s, r.Bandwidth))
	}
	if len(r.Steps) > 0 {
		t := newTable(table.Row{"step", "us", "images/s", "evaluation us", "graph nodes"})
		for _, s := range r.Steps {
			t.AppendRow(table.Row{s.Optimizer, micros(s.Mean), fmt.Sprintf("%.0f", float64(r.Batch)/s.Mean.Seconds()), micros(s.Evaluate), s.Nodes})
		}
		fmt.Fprintf(w, "%s\n\n", t.Render())
	}
	if len(r.Throughput) > 0 {
		t := newTable(table.Row{"runs at once", "steps/s", "images/s", "times the first", "memory MB"})
		for _, p := range r.Throughput {
			t.AppendRow(table.Row{p.Runs, fmt.Sprintf("%.1f", p.StepsPerSecond), fmt.Sprintf("%.0f", p.ImagesPerSecond),
				fmt.Sprintf("%.2f", p.StepsPerSecond/r.Throughput[0].StepsPerSecond), megabytes(p.Memory)})
		}
		fmt.Fprintf(w, "%s\n\n", t.Render())
	}
	if len(r.Limits) > 0 {
		t := newTable(table.Row{"streams at once", "steps/s", "convolutions/s", "other kernels/s", "empty kernels/s", "busy processors"})
		for _, l := range r.Limits {
			rate := func(v float64) string { return fmt.Sprintf("%.0f", v) }
			t.AppendRow(table.Row{l.Streams, rate(l.Step), rate(l.Convolutions), rate(l.Kernels), rate(l.Empty), fmt.Sprintf("%.1f", l.Cores)})
		}
		fmt.Fprintf(w, "%s\n\n", t.Render())
	}
	fmt.Fprintf(w, "%.0f s in all\n", r.Seconds)
}

// floors tells where a step's time goes, and how much of it the needed bytes alone would
// take at a bandwidth, 0 for an unknown one.
func floors(cost bench.StepCost, bandwidth float64) string {
	var total time.Duration
	for _, f := range cost.Families {
		total += f.Time
	}
	t := newTable(table.Row{"op", "launches", "us", "share", "needed MB", "GB/s", "floor us", "floor/time", "GFLOP/s"})
	t.SetTitle("a step of " + cost.Optimizer + ", op by op")
	for _, f := range cost.Families {
		seconds := f.Time.Seconds()
		floor, share := "", ""
		if bandwidth > 0 {
			floor = fmt.Sprintf("%.1f", 1e6*float64(f.Bytes)/bandwidth)
			share = fmt.Sprintf("%.2f", float64(f.Bytes)/bandwidth/seconds)
		}
		t.AppendRow(table.Row{f.Entry, f.Launches, micros(f.Time), fmt.Sprintf("%.1f %%", 100*seconds/total.Seconds()), megabytes(f.Bytes),
			fmt.Sprintf("%.0f", float64(f.Bytes)/1e9/seconds), floor, share, fmt.Sprintf("%.0f", float64(f.Flops)/1e9/seconds)})
	}
	return t.Render()
}

func micros(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()*1e6) }
