// Command diaghess trains small networks with optimizers that scale each parameter's
// step by a diagonal of the curvature. Paired, seeded runs and statistics show whether
// they beat Adam, AdamW and SGD.
//
// What does not belong here: anything but reading flags and printing results.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"go.uber.org/automaxprocs/maxprocs"

	"diaghess/gpu/vector"
	"diaghess/train"
)

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }

// run runs the program with a command line and returns its status.
func run(arguments []string, stdout, stderr io.Writer) int {
	if err := enough(); err != nil {
		fmt.Fprintln(stderr, "diaghess:", err)
		return 1
	}
	// As many threads as a control group's quota gives; the runtime itself looks at the
	// affinity alone when go.mod asks for a Go before 1.25. It fails only where it
	// cannot read its control group: then there is no quota to keep.
	_, _ = maxprocs.Set()
	ctx, stop := interruptible(stderr)
	defer stop()
	app, out := newApp(), &output{to: stdout}
	app.Writer, app.ErrWriter = out, stderr
	err := app.RunContext(ctx, arguments)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errInterrupted
	}
	if out.err != nil && (err == nil || errors.Is(err, out.err)) {
		err = fmt.Errorf("the output could not be written: %w", bare(out.err))
	}
	switch {
	case err == nil || errors.Is(err, errHelped):
		return 0
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "diaghess:", err)
		return 130
	}
	fmt.Fprintln(stderr, "diaghess:", err)
	return 1
}

// errHelped ends a command whose help was asked for behind its arguments.
var errHelped = errors.New("help was printed")

func newApp() *cli.App {
	return &cli.App{
		Name:                 "diaghess",
		Usage:                "compare optimizers that use a diagonal of the curvature with Adam, AdamW and SGD, in paired studies",
		Version:              version(),
		EnableBashCompletion: true,
		Commands: []*cli.Command{
			quickstartCommand(quickStudy),
			studyCommand(),
			trainCommand(),
			tuneCommand(),
			reportCommand(),
			mergeCommand(),
			statusCommand(),
			auditCommand(),
			ruleCommand(),
			dataCommand(),
			devicesCommand(),
			benchCommand(),
			curvatureCommand(),
			gpuCheckCommand(),
		},
		Action:       noCommand,
		OnUsageError: func(c *cli.Context, err error, _ bool) error { return usageError(c, err) },
		// Errors go to main, which prints them once.
		ExitErrHandler: func(*cli.Context, error) {},
	}
}

// version names the release, the source, what was built in and what this processor offers.
func version() string {
	cuda := "without"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "-tags" && slices.Contains(strings.Split(s.Value, ","), "cuda") {
				cuda = "with"
			}
		}
	}
	vectors := ""
	if level, err := vector.Supported(); err != nil {
		vectors = err.Error()
	} else {
		vectors = level.String()
	}
	build := train.ThisBuild()
	return fmt.Sprintf("%s (commit %s, %s, %s, %s the device cuda, vector instructions: %v)",
		train.Version(), build.Commit, build.Go, build.Platform, cuda, vectors)
}
