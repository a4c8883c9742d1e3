//go:build unix

package main

import (
	"bytes"
	"diaghess/train/record"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// programArguments names the environment variable that turns a test's process into the
// program, with these arguments, a line each.
const programArguments = "DIAGHESS_TEST_ARGUMENTS"

// killRounds names the environment variable with how often TestKilled begins anew.
const killRounds = "DIAGHESS_TEST_KILLS"

// faults are what may happen to a process, after a time.
var faults = []struct {
	name    string
	signals []syscall.Signal
	full    bool // the disk: no file may be longer than some kB
}{
	{"killed", []syscall.Signal{syscall.SIGKILL}, false},
	{"hung up", []syscall.Signal{syscall.SIGHUP}, false},
	{"interrupted", []syscall.Signal{syscall.SIGINT}, false},
	{"terminated", []syscall.Signal{syscall.SIGTERM}, false},
	{"interrupted twice", []syscall.Signal{syscall.SIGINT, syscall.SIGINT}, false},
	{"full disk", nil, true},
	{"full disk, interrupted", []syscall.Signal{syscall.SIGINT}, true},
}

// TestKilled stops the program at sampled moments, in every way, and starts the same command
// again until it comes to its end. The records must be those of a command that nothing
// happened to, times aside, and no other file may be there. What a stopped run said of its
// checkpoint must be true.
func TestKilled(t *testing.T) {
	if arguments := os.Getenv(programArguments); arguments != "" {
		os.Args = append([]string{"diaghess"}, strings.Split(arguments, "\n")...)
		main()
		os.Exit(0)
	}
	if testing.Short() {
		t.Skip("takes long")
	}
	rounds := 8
	if text := os.Getenv(killRounds); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	commands := []string{
		"study --datasets digits --epochs 24 --optimizers adamw,diaghess:curvature=gnb,every=4 --seeds 0,1",
		"tune --dataset digits --epochs 8 --optimizers adamw,sgd --trials 3 --halving 2",
	}
	type unharmed struct {
		files   map[string]string
		seconds float64
	}
	var want []unharmed
	for _, command := range commands {
		out, began := t.TempDir(), time.Now()
		run := startProgram(t, command, out, 0)
		if err := run.Wait(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, run.Stderr)
		}
		want = append(want, unharmed{recordsIn(t, out), time.Since(began).Seconds()})
	}
	var mutex sync.Mutex
	happened := map[string]int{}
	t.Run("round", func(t *testing.T) {
		for round := range rounds {
			t.Run(fmt.Sprint(round), func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(uint64(round), 0))
				command, want := commands[round%len(commands)], want[round%len(commands)]
				out := filepath.Join(t.TempDir(), "out")
				promised := promises{}
				for try := 0; ; try++ {
					if try == 100 {
						t.Fatal("no end in 100 tries")
					}
					fault := faults[random.IntN(len(faults))]
					limit := 0
					if fault.full {
						limit = 1 + random.IntN(100)
					}
					run := startProgram(t, command, out, limit)
					after := random.Float64() * .6 * want.seconds
					stop := time.AfterFunc(time.Duration(after*float64(time.Second)), func() {
						for _, signal := range fault.signals {
							_ = run.Process.Signal(signal) // it may have ended
						}
					})
					err := run.Wait()
					stop.Stop()
					said := run.Stderr.(*bytes.Buffer).String()
					if strings.Contains(said, "panic") || strings.Contains(said, "goroutine ") {
						t.Fatalf("%s:\n%s", fault.name, said)
					}
					promised = promised.check(t, said)
					if err == nil {
						break
					}
					mutex.Lock()
					happened[fault.name]++
					mutex.Unlock()
				}
				got := recordsIn(t, out)
				for _, name := range slices.Sorted(maps.Keys(want.files)) {
					if got[name] != want.files[name] {
						t.Errorf("%s is\n%s\nwant\n%s", name, got[name], want.files[name])
					}
				}
				checkLedger(t, out)
				for name := range got {
					if _, ok := want.files[name]; !ok {
						t.Errorf("%s should not be there", name)
					}
				}
			})
		}
	})
	t.Logf("%d rounds; what happened: %v", rounds, happened)
}

// startProgram starts the program, with a limit in kB for its files unless that is 0.
func startProgram(t *testing.T, command, out string, limit int) *exec.Cmd {
	t.Helper()
	arguments := append(strings.Fields(command), "--model", "mlp", "--limit", "500", "--device", "cpu", "--parallel", "2", "--threads", "1", "--out", out)
	program := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	if limit > 0 {
		program = exec.Command("sh", "-c", fmt.Sprintf(`ulimit -f %d && exec "$0" "$@"`, 2*limit), os.Args[0], "-test.run=^TestKilled$")
	}
	program.Env = append(os.Environ(), programArguments+"="+strings.Join(arguments, "\n"))
	program.Stderr = &bytes.Buffer{}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	return program
}

// promises are the steps from which runs were said to go on, by the names of the runs.
type promises map[string]int

var runLine = regexp.MustCompile(`(?m)^(digits .* seed \d+)  (goes on at step|stopped, its checkpoint of step|.*its last checkpoint, of step|stopped before its first step|.*it has no checkpoint|finished|paused|diverged)(?: (\d+))?`)

// check compares what a process said with what the one before had promised, and returns what it
// promises itself. A process that was killed promises nothing of the runs that it was at.
func (p promises) check(t *testing.T, said string) promises {
	t.Helper()
	next := promises{}
	for _, line := range runLine.FindAllStringSubmatch(said, -1) {
		run, what := line[1], line[2]
		step, _ := strconv.Atoi(line[3]) // 0 where there is none
		if strings.HasPrefix(what, "goes on") {
			if promised, ok := p[run]; ok && promised != step {
				t.Errorf("%s goes on at step %d, and was said to have a checkpoint of step %d", run, step, promised)
			}
			delete(p, run) // the next stage of a tuning goes on later
			continue
		}
		delete(p, run) // it has begun, from step 0, and a later stage of a tuning goes on elsewhere
		delete(next, run)
		if strings.Contains(what, "checkpoint") || strings.HasPrefix(what, "stopped") {
			next[run] = step
		}
	}
	return next
}

// checkLedger expects that nothing is wrong with the ledger of a study or of a tuning's trials.
func checkLedger(t *testing.T, out string) {
	t.Helper()
	if trials := filepath.Join(out, "trials"); isFolder(trials) {
		out = trials
	}
	history, faults, _, err := record.CheckLedger(os.DirFS(out), out)
	if len(faults) > 0 || err != nil || len(history.Events) == 0 {
		t.Errorf("a ledger of %d events: %v, %v", len(history.Events), faults, err)
	}
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// recordsIn returns the files in a folder by path: of records what they say without
// times, of other files that they are there.
func recordsIn(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == record.LedgerFolder {
			return filepath.SkipDir // it has a file for each process; see checkLedger
		}
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		files[name] = ""
		if extension := filepath.Ext(name); extension != ".json" && extension != ".jsonl" {
			return nil
		}
		decoder := json.NewDecoder(bytes.NewReader(content))
		for decoder.More() {
			var object map[string]any
			if err := decoder.Decode(&object); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			for _, key := range []string{"seconds", "step_parts", "train_time"} {
				delete(object, key)
			}
			text, err := json.Marshal(object)
			if err != nil {
				return err
			}
			files[name] += string(text) + "\n"
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
