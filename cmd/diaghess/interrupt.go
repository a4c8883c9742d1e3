package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"diaghess/gpu"
)

// errInterrupted is the error of a command that was interrupted and had nothing to keep.
var errInterrupted = errors.New("interrupted")

// patience is how long a command may take to end after it was interrupted, before it is
// left or says that it is still at work.
const patience = 500 * time.Millisecond

// interruptible returns a context that ends with the first interrupt, termination or
// hang-up. A second one ends the process at once, with a status of the system.
func interruptible(stderr io.Writer) (context.Context, context.CancelFunc) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	forget := context.AfterFunc(ctx, func() {
		// The system and the shell both tell of a terminal that is closed: the second time
		// is no wish to end without a checkpoint.
		signal.Ignore(syscall.SIGHUP)
		stop()
		time.Sleep(patience)
		fmt.Fprintln(stderr, "diaghess: stopping; a second interrupt ends the program at once")
	})
	return ctx, func() { forget(); stop() }
}

// promptly has an action that keeps nothing end soon after it was interrupted, also where
// it is at something that does not look at its context: a long step, a read of a pipe. It
// adds what to do where memory was too little.
func promptly(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		err := abandon(c.Context, func() error { return action(c) })
		var full *gpu.OutOfMemory
		if hasBatch := func(f cli.Flag) bool { return f.Names()[0] == "batch" }; errors.As(err, &full) && slices.ContainsFunc(c.Command.Flags, hasBatch) {
			err = fmt.Errorf("%w; a smaller --batch or --model needs less", err)
		}
		return err
	}
}

// abandon does some work, and leaves it to itself if the context ends and the work does not
// end soon after.
func abandon(ctx context.Context, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(patience / 2):
		return errInterrupted
	}
}
