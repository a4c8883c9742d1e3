//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asProgram in the environment makes the test's binary the program.
const asProgram = "DIAGHESS_TEST_AS_PROGRAM"

func init() {
	if os.Getenv(asProgram) != "" {
		main()
	}
}

// program returns a command that runs diaghess in a process of its own, behind a line for
// the shell, which may be empty.
func program(t *testing.T, shell string, arguments ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command("sh", append([]string{"-c", shell + "\nexec \"$0\" \"$@\"", self}, arguments...)...)
	command.Env = append(os.Environ(), asProgram+"=1")
	return command
}

// Too few files or too little memory is one line, without a trace.
func TestProcessLimits(t *testing.T) {
	bench := []string{"bench", "--device", "cpu", "--repeats", "1"}
	for _, c := range []struct {
		shell     string
		arguments []string
		want      string
		linux     bool
	}{
		{"ulimit -n 6", []string{"devices", "--list"}, "this process may open 6 files and needs 24: raise the limit with ulimit -n", false},
		{"ulimit -v 3000000", append(bench, "--batch", "60000"), "a smaller --batch", true},
		{"ulimit -v 3000000", append(bench, "--batch", "2000"), "a smaller --batch", true},
		{"ulimit -v 3000000", append(bench, "--model", "mlp", "--threads", "1024"), "1024 thread(s): out of memory for", true},
		{"ulimit -v 3000000", []string{"curvature", "--device", "cpu", "--model", "pilotcnn", "--batch", "1000", "--batches", "1"}, "a smaller --batch", true},
	} {
		if c.linux && (testing.Short() || runtime.GOOS+runtime.GOARCH != "linuxamd64") {
			continue // takes long, and the runtime's own need of address space is another
		}
		out, err := program(t, c.shell, c.arguments...).CombinedOutput()
		if said := string(out); err == nil || !strings.HasPrefix(said, "diaghess: ") || strings.Count(said, "\n") != 1 || !strings.Contains(said, c.want) {
			t.Errorf("%s; %v: %v, want one line with %q, got\n%.1000s", c.shell, c.arguments, err, c.want, said)
		}
	}
}

// start starts a program and returns what reads its messages, after the first that begins
// with some text.
func start(t *testing.T, command *exec.Cmd, until string) *bufio.Reader {
	t.Helper()
	pipe, err := command.StderrPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill() })
	said := bufio.NewReader(pipe)
	for {
		line, err := said.ReadString('\n')
		if strings.HasPrefix(line, until) {
			return said
		}
		if err != nil {
			t.Fatalf("%v: no line that begins with %q", command.Args, until)
		}
	}
}

// endless is a study that does not end by itself.
func endless(t *testing.T, out, device, model string) *exec.Cmd {
	return program(t, "", "study", "--device", device, "--datasets", "digits", "--model", model, "--optimizers", "adamw", "--seeds", "0", "--epochs", "20000", "--out", out)
}

// A terminal that is closed, which may be told twice, loses nothing, as an interrupt does.
func TestSignals(t *testing.T) {
	for name, signals := range map[string][]os.Signal{
		"interrupt": {os.Interrupt}, "termination": {syscall.SIGTERM}, "hang-up": {syscall.SIGHUP}, "two hang-ups": {syscall.SIGHUP, syscall.SIGHUP},
	} {
		t.Run(name, func(t *testing.T) {
			out := t.TempDir()
			command := endless(t, out, "cpu", "digitcnn")
			said := start(t, command, "runs: 1")
			if !await(filepath.Join(out, "digits", "adamw", "seed-00", "epochs.jsonl")) {
				t.Fatal("no epoch ends")
			}
			for _, s := range signals {
				if err := command.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
			}
			rest, _ := io.ReadAll(said)
			_ = command.Wait()
			if command.ProcessState.ExitCode() != 130 || !strings.Contains(string(rest), "the same command goes on from here") {
				t.Errorf("%v, and\n%s", command.ProcessState, rest)
			}
			if _, err := os.Stat(filepath.Join(out, "digits", "adamw", "seed-00", "checkpoint")); err != nil {
				t.Error(err)
			}
		})
	}
}

// await waits for a file.
func await(path string) bool {
	for range 600 {
		if _, err := os.Stat(path); err == nil {
			return true
		}
		time.Sleep(100 * time.Millisecond)
	}
	return false
}

// A study in a long step says that it is stopping; the second interrupt ends it at once.
func TestSecondInterrupt(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	command := endless(t, t.TempDir(), "emu", "pilotcnn")
	start(t, command, "runs: 1")
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * patience)
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_ = command.Wait()
	if took := time.Since(began); took > 20*time.Second || command.ProcessState.Success() {
		t.Errorf("%v after %v", command.ProcessState, took)
	}
}

// What does not look at its context is left to itself; what ends in time says how.
func TestAbandon(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	never := make(chan struct{})
	if err := abandon(ctx, func() error { <-never; return nil }); err != errInterrupted {
		t.Errorf("work without an end: %v", err)
	}
	mine := errors.New("mine")
	if err := abandon(ctx, func() error { return mine }); err != mine {
		t.Errorf("work that ends: %v", err)
	}
}

// An interrupted test of a device is no failed one, and a pipe as a file does not hold a
// command up.
func TestInterrupted(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, arguments := range []string{
		"devices --device emu", "devices --json", "bench --device emu", "gpu-check --device emu --out " + filepath.Join(t.TempDir(), "check.json"),
		"curvature --device cpu --model digitcnn --exact", "report " + pipe,
	} {
		var out strings.Builder
		app := newApp()
		app.Writer, app.ErrWriter = &out, io.Discard
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		began := time.Now()
		err := app.RunContext(ctx, append([]string{"diaghess"}, strings.Fields(arguments)...))
		cancel()
		if took := time.Since(began); err != errInterrupted && !errors.Is(err, context.DeadlineExceeded) && !strings.Contains(fmt.Sprint(err), "stopped while reading") || took > time.Minute {
			t.Errorf("%s: error %v after %v", arguments, err, took)
		}
		if strings.Contains(out.String(), "FAILED") || strings.Contains(out.String(), "failure") {
			t.Errorf("%s: an interrupted test has failed:\n%s", arguments, out.String())
		}
	}
}

// A pipe as a file that has to be a file is refused.
func TestPipeRefused(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{{"--plan", pipe}, {"--optimizers", "@" + pipe}} {
		_, _, err := runApp(t, append([]string{"study", "--device", "cpu", "--datasets", "digits", "--out", t.TempDir()}, flags...)...)
		if err == nil || !strings.Contains(err.Error(), pipe+" cannot be read: it is a pipe, a device or a socket, and a file is expected") {
			t.Errorf("%v: %v", flags, err)
		}
	}
}

// A folder that cannot be is refused before the work.
func TestOutFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Symlink("nowhere", "dangling"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("file", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for out, want := range map[string]string{
		"dangling": "--out dangling: this is a link to nowhere, which does not exist: make that folder, or choose another",
		"file":     "--out file: this is a file, not a folder: choose another folder",
		"file/new": "--out file/new: not a directory: choose another folder",
	} {
		for _, command := range []string{"study --datasets digits", "train --dataset digits", "tune --dataset digits", "curvature"} {
			arguments := append(strings.Fields(command), "--device", "cpu", "--model", "mlp", "--out", out)
			if _, _, err := runApp(t, arguments...); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%v: %v, want %s", arguments, err, want)
			}
		}
	}
}
