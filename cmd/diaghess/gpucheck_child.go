package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"diaghess/gpu/devices"
)

// sanitizerLimit is how long a child process may take.
const sanitizerLimit = 2 * time.Minute

// sanitize runs the self-test under a tool of compute-sanitizer.
func (g *gpuCheck) sanitize(ctx context.Context, tool string) (string, error) {
	if !devices.IsGPU(g.options.Name) {
		return "", skipped("looks at GPUs only")
	}
	sanitizer, err := g.findSanitizer()
	if err != nil {
		return "", err
	}
	arguments := []string{"--tool", tool, "--error-exitcode", "1"}
	if tool == "memcheck" {
		// What the driver returns is for its caller to judge: libraries try what may fail.
		arguments = append(arguments, "--report-api-errors", "no")
	}
	arguments = append(arguments, g.program, "devices", "--device", g.report.Device, "--math", g.workload.Math)
	out, err := runChild(ctx, sanitizerLimit, sanitizer, arguments...)
	return judgeSanitizer(out, err)
}

// findSanitizer returns the file of compute-sanitizer.
func (g *gpuCheck) findSanitizer() (string, error) {
	if g.sanitizer != "" {
		_, err := os.Stat(g.sanitizer)
		return g.sanitizer, err
	}
	const name = "compute-sanitizer"
	if file, err := exec.LookPath(name); err == nil {
		return file, nil
	}
	if home := os.Getenv("CUDA_HOME"); home != "" {
		if file, err := exec.LookPath(filepath.Join(home, "bin", name)); err == nil {
			return file, nil
		}
	}
	return "", skipped("no compute-sanitizer on PATH or in CUDA_HOME/bin: --sanitizer names it")
}

// found is a count in a sanitizer's summary that is not 0.
var found = regexp.MustCompile(`\b[1-9][0-9]* (error|hazard|warning)`)

// judgeSanitizer returns the summary of a sanitizer's output, and what is wrong.
func judgeSanitizer(out string, err error) (string, error) {
	summary := ""
	for line := range strings.Lines(out) {
		if strings.Contains(line, "SUMMARY:") {
			summary = strings.TrimSpace(strings.TrimLeft(line, "= "))
		}
	}
	switch {
	case err != nil:
	case summary == "":
		err = errors.New("it printed no summary")
	case found.MatchString(summary):
		err = errors.New("it found something")
	}
	if err != nil {
		err = fmt.Errorf("%w; its output ends with\n%s", err, tail(out))
	}
	return summary, err
}

// runChild runs a program for at most some time and returns what it prints.
func runChild(ctx context.Context, limit time.Duration, program string, arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it did not end within %v", limit))
	defer cancel()
	command := exec.CommandContext(ctx, program, arguments...)
	// An interrupt reaches what a sanitizer has started, too.
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 5 * time.Second
	out, err := command.CombinedOutput()
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", filepath.Base(program), err)
	}
	return string(out), err
}

// tail returns the end of a text.
func tail(text string) string {
	const most = 2000
	return strings.ToValidUTF8(strings.TrimSpace(text[max(0, len(text)-most):]), "")
}
