// Command diaghess trains small networks with optimizers that scale each parameter's
// step by a diagonal of the curvature. Paired, seeded runs and statistics show whether
// they beat Adam, AdamW and SGD.
//
// What does not belong here: anything but reading flags and printing results.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"
	"go.uber.org/automaxprocs/maxprocs"

	"diaghess/gpu/vector"
	"diaghess/train"
)

func main() {
	// As many threads as a control group's quota gives; the runtime itself looks at the
	// affinity alone when go.mod asks for a Go before 1.25. It fails only where it
	// cannot read its control group: then there is no quota to keep.
	_, _ = maxprocs.Set()
	// The first signal asks the work to stop, a second one ends the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	err := newApp().RunContext(ctx, os.Args)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "diaghess:", err)
	if ctx.Err() != nil {
		os.Exit(130)
	}
	os.Exit(1)
}

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
			dataCommand(),
			devicesCommand(),
			benchCommand(),
			curvatureCommand(),
			gpuCheckCommand(),
		},
		// An unknown command is an error, not the help text and success.
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return fmt.Errorf("unknown command %q: see diaghess --help", c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
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
