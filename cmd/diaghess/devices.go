package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/gpu/devices"
	"diaghess/kernels/kerneltest"
	"diaghess/nearest"

	"github.com/urfave/cli/v2"
)

// devicesCommand is `diaghess devices`.
func devicesCommand() *cli.Command {
	return strict(&cli.Command{
		Name:  "devices",
		Usage: "list the devices that can train, and test that each computes the right values",
		Description: "The test runs every kernel at many sizes, and two convolutions in all directions, and compares the results with the definitions. " +
			"A missing device is not a failure; a wrong result is.",
		Flags: []cli.Flag{
			list(&cli.StringFlag{Name: "device", Usage: "test the devices of `LIST` (default: all)"}),
			&cli.StringFlag{Name: "library", Usage: "take the cpu's convolutions from `NAME`"},
			&cli.StringFlag{Name: "math", Value: gpu.MathFP32, Usage: "arithmetic of a GPU's convolutions: fp32 or tf32"},
			&cli.BoolFlag{Name: "list", Usage: "do not test"},
			&cli.BoolFlag{Name: "json", Usage: "write JSON"},
		},
		Action: promptly(runDevices),
	})
}

// deviceReport is what devices says of one.
type deviceReport struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// Missing says why the device cannot be used.
	Missing string `json:"missing,omitempty"`
	Checks  int    `json:"checks,omitempty"`
	Failure string `json:"failure,omitempty"`
}

var (
	errSelfTest = errors.New("a device failed its test: do not trust its results")
	errMissing  = errors.New("a device that was asked for cannot be used")
)

func runDevices(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	if math := c.String("math"); !slices.Contains(gpu.Maths(), math) {
		return nearest.Unknown("arithmetic", math, gpu.Maths())
	}
	if library := c.String("library"); library != "" { // of every device that has one
		if _, err := cpu.New(cpu.Options{Library: library}); err != nil {
			return err
		}
	}
	var reports []deviceReport
	for _, name := range names(c.String("device")) {
		reports = append(reports, deviceReport{Name: name})
	}
	asked := len(reports) > 0
	if !asked {
		reports = known()
	}
	var failed error
	for i := range reports {
		r := &reports[i]
		if r.Missing == "" {
			if err := look(c, r); err != nil {
				return err
			}
		}
		switch {
		case r.Failure != "":
			failed = errSelfTest
		case r.Missing != "" && asked && failed == nil:
			failed = errMissing
		}
		if !c.Bool("json") {
			printDevice(c, *r)
		}
	}
	if c.Bool("json") {
		encoder := json.NewEncoder(c.App.Writer)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(reports); err != nil {
			return err
		}
	}
	return failed
}

// known returns the devices that there are, to be looked at.
func known() []deviceReport {
	reports := []deviceReport{{Name: "cpu"}, {Name: "emu"}}
	cards, err := devices.GPUs()
	for _, card := range cards {
		reports = append(reports, deviceReport{Name: card.Name, Description: card.Description})
	}
	if err != nil {
		reports = append(reports, deviceReport{Name: "cuda", Missing: err.Error()})
	}
	return reports
}

// look opens a device and tests it. Its error is what kept the test from an end: that says
// nothing about the device.
func look(c *cli.Context, r *deviceReport) error {
	name := r.Name
	options := devices.Options{Name: name, Library: c.String("library")}
	if devices.IsGPU(name) {
		options.Math = c.String("math")
	}
	device, err := devices.Open(options)
	if err != nil {
		r.Missing = err.Error()
		return nil
	}
	r.Description = device.Description()
	if !c.Bool("list") {
		r.Checks, err = kerneltest.SelfTest(c.Context, device)
	}
	err = errors.Join(err, device.Close())
	var full *gpu.OutOfMemory
	switch {
	case c.Context.Err() != nil:
		return c.Context.Err()
	case errors.As(err, &full):
		return fmt.Errorf("the test of %s could not be done: %w", name, full)
	case err != nil:
		r.Failure = err.Error()
	}
	return nil
}

// printDevice prints a report for a person.
func printDevice(c *cli.Context, r deviceReport) {
	w := c.App.Writer
	switch {
	case r.Missing != "":
		fmt.Fprintf(w, "%s: %scannot be used: %s\n", r.Name, sentence(r.Description), r.Missing)
	case r.Failure != "":
		fmt.Fprintf(w, "%s: %s\n    FAILED after %d checks: %s\n", r.Name, r.Description, r.Checks, r.Failure)
	case r.Checks > 0:
		fmt.Fprintf(w, "%s: %s\n    %d checks passed\n", r.Name, r.Description, r.Checks)
	default:
		fmt.Fprintf(w, "%s: %s\n", r.Name, r.Description)
	}
}

// sentence is a description with what parts it from more text.
func sentence(description string) string {
	if description == "" {
		return ""
	}
	return description + "\n    "
}
