package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/gpu/devices"
	"diaghess/train/golden"
)

// goldenLimit is how long the golden cases may take: the whole check ends within 8 minutes.
const goldenLimit = 90 * time.Second

// goldenTest computes the golden cases on the card, in fp32.
func (g *gpuCheck) goldenTest(ctx context.Context) (string, error) {
	if !devices.IsGPU(g.options.Name) {
		return "", skipped("is for GPUs only: go test ./train/golden does the other devices")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, goldenLimit, fmt.Errorf("it did not end within %v", goldenLimit))
	defer cancel()
	return checkGolden(ctx, g.golden, devices.Options{Name: g.report.Device})
}

// checkGolden compares the golden cases of a folder with what a card computes. Where a
// trajectory of the card parts from the case, which it may if another machine's does not,
// the cpu computes it too.
func checkGolden(ctx context.Context, folder string, card devices.Options) (note string, err error) {
	set, err := golden.Open(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return "", skipped("no golden cases in " + folder + ": make gpu-check packs them, --golden names another folder")
	}
	if err != nil {
		return "", err
	}
	machines := []devices.Options{card}
	for _, library := range cpu.Libraries() {
		machines = append(machines, devices.Options{Name: "cpu", Library: library})
	}
	passed, total := 0, 0
	var wrong []error
	for _, kind := range golden.Kinds() {
		trajectories, err := set.Trajectories(kind)
		if err != nil {
			return "", err
		}
		for _, t := range trajectories {
			total++
			for i, machine := range machines {
				if i > 0 && t.End() == nil {
					break
				}
				if ctx.Err() != nil {
					return fmt.Sprintf("%d trajectories passed", passed), errors.Join(append(wrong, context.Cause(ctx))...)
				}
				_, err := t.Run(func(threads int) (gpu.Device, error) {
					machine.Threads = threads
					return devices.Open(machine)
				})
				if err != nil {
					wrong = append(wrong, fmt.Errorf("%s on %s: %w", t.Name, machine.Name, err))
				} else if i == 0 {
					passed++
				}
			}
			wrong = append(wrong, t.End())
		}
	}
	if err = errors.Join(wrong...); err != nil {
		err = errors.New(tail(err.Error()))
	} else if total == 0 {
		err = errors.New("the folder has no case for a card")
	}
	return fmt.Sprintf("%d trajectories passed, %d failed", passed, total-passed), err
}
