package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"diaghess/optim"
	"diaghess/train/record"
	"diaghess/train/study"
)

// scaleVariable names the environment variable with numbers of runs, such as 2500,5000,10000:
// TestScale then prints the processor time and the largest memory of each command.
const scaleVariable = "DIAGHESS_TEST_SCALE"

// TestScale makes records of studies with 60 epochs, whole and in shards, and has every command
// that reads all of them do so.
func TestScale(t *testing.T) {
	sizes, measured := []int{80}, os.Getenv(scaleVariable)
	if measured != "" {
		sizes = nil
		for text := range strings.SplitSeq(measured, ",") {
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, n)
		}
	}
	for _, n := range sizes {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			shards := max(4, n/100)
			folder := t.TempDir()
			whole, parts := filepath.Join(folder, "whole"), filepath.Join(folder, "parts")
			arguments := []string{"--datasets", "digits", "--model", "mlp", "--epochs", "60", "--optimizers", strings.Join(scaleArms, ","),
				"--seeds", fmt.Sprintf("0-%d", n/len(scaleArms)-1), "--device", "cpu"}
			do := func(what string, arguments ...string) string {
				t.Helper()
				resetPeak()
				began := processorTime()
				var out, errs bytes.Buffer
				if status := run(append([]string{"diaghess"}, arguments...), &out, &errs); status != 0 {
					t.Fatalf("%v: %s", arguments, errs.String())
				}
				if measured != "" {
					fmt.Printf("| %d | %s | %.1f s | %d MB |\n", n, what, (processorTime() - began).Seconds(), peak())
				}
				return out.String()
			}
			made := scaleStudy(t, whole, n)
			made.shards(t, parts, shards)
			startScaled(t, measured != "", filepath.Join(folder, "new"), made.Study, n)
			do("resume, all ended", append([]string{"study", "--out", whole, "--force"}, arguments...)...)
			do("resume a shard", append([]string{"study", "--shard", fmt.Sprintf("1/%d", shards), "--out", parts}, arguments...)...)
			merged := do("merge", "merge", parts)
			do("merge again", "merge", parts)
			do("status", "status", parts)
			do("status of one", "status", whole)
			do("report", "report", parts)
			audited := do("audit of the files", "audit", "--runs", "0", whole)
			for line := range strings.Lines(merged) {
				if strings.HasPrefix(line, "results: ") && !strings.Contains(audited, line) {
					t.Errorf("the merge has %sand the whole\n%s", line, audited)
				}
			}
		})
	}
}

// startScaled measures the start of a study up to its first run.
func startScaled(t *testing.T, measured bool, out string, s *study.Study, n int) {
	t.Helper()
	fresh := *s
	fresh.Out, fresh.Shard = out, record.Shard{}
	ctx, cancel := context.WithCancel(t.Context())
	resetPeak()
	began := processorTime()
	if _, err := fresh.Register(""); err != nil {
		t.Fatal(err)
	}
	err := fresh.Run(ctx, ender{study.Silent{}, cancel})
	if err == nil {
		t.Fatal("the study ended")
	}
	if measured {
		fmt.Printf("| %d | start | %.1f s | %d MB |\n", n, (processorTime() - began).Seconds(), peak())
	}
}

// ender interrupts a study when its first run begins.
type ender struct {
	study.Silent
	cancel context.CancelFunc
}

func (e ender) Run(record.Job, record.Config, int, int) study.RunObserver {
	e.cancel()
	return study.Silent{}
}

var scaleArms = []string{"adamw", "sgd", "diaghess", "muon"}

// resetPeak and peak measure the largest resident memory of this process, in MB, where the system
// tells.
func resetPeak() {
	debug.FreeOSMemory() // which the command before has left
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// processorTime is what this process has taken of all processors, where the system tells.
func processorTime() (total time.Duration) {
	content, _ := os.ReadFile("/proc/self/stat")
	_, after, _ := strings.Cut(string(content), ") ")
	if fields := strings.Fields(after); len(fields) > 12 {
		for _, ticks := range fields[11:13] { // user, system, in hundredths of a second
			n, _ := strconv.Atoi(ticks)
			total += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return total
}

func peak() (megabytes int) {
	content, _ := os.ReadFile("/proc/self/status")
	if _, after, ok := strings.Cut(string(content), "VmHWM:"); ok {
		fmt.Sscan(after, &megabytes)
	}
	return megabytes >> 10
}

// scaled is a study of runs that have ended, as the program leaves it but without training.
type scaled struct {
	*study.Study
	jobs   []record.Job
	events map[string]record.Event // by run
}

// scaleStudy writes a study of n runs.
func scaleStudy(t *testing.T, out string, n int) scaled {
	t.Helper()
	var rules []optim.Rule
	for _, spec := range scaleArms {
		rule, err := optim.Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, rule)
	}
	s := scaled{Study: quickStudyOf(t, rules, n/len(scaleArms)), events: map[string]record.Event{}}
	s.Out = out
	if _, err := s.Register(""); err != nil {
		t.Fatal(err)
	}
	jobs, err := s.Jobs()
	if err != nil {
		t.Fatal(err)
	}
	for i, job := range jobs {
		s.jobs = append(s.jobs, job.Job)
		s.events[job.Folder()] = scaleRun(t, s.Study, job.Job, rules[i%len(rules)])
	}
	s.scaleLedger(t, out, s.jobs)
	return s
}

// shards writes the same study in n shards.
func (s scaled) shards(t *testing.T, out string, n int) {
	t.Helper()
	owners, err := study.Divide(s.jobs, n)
	if err != nil {
		t.Fatal(err)
	}
	own := make([][]record.Job, n)
	for i, job := range s.jobs {
		own[owners[i]] = append(own[owners[i]], job)
	}
	for i := range n {
		folder := filepath.Join(out, record.Shard{Index: i, Of: n}.Folder())
		var names []string
		for _, job := range own[i] {
			for _, name := range []string{"config.json", "epochs.jsonl", "final.json"} {
				names = append(names, filepath.Join(filepath.FromSlash(job.Folder()), name))
			}
		}
		for _, name := range append(names, record.PlanFile) {
			err := os.MkdirAll(filepath.Join(folder, filepath.Dir(name)), 0o777)
			if err == nil {
				err = os.Link(filepath.Join(s.Out, name), filepath.Join(folder, name))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		s.scaleLedger(t, folder, own[i])
	}
}

// scaleLedger writes study.json and a ledger of some of the runs.
func (s scaled) scaleLedger(t *testing.T, folder string, own []record.Job) {
	t.Helper()
	ledger, err := record.OpenLedger(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Plan(s.jobs, nil, record.Build{Commit: "c", Go: "g", Platform: "p"}); err != nil {
		t.Fatal(err)
	}
	if err := ledger.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(folder, record.LedgerFolder, "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	lines, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	last, now := record.Digest(bytes.TrimSuffix(lines, []byte("\n"))), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, job := range own {
		for _, what := range []record.Happening{record.RunStarted, record.RunEnding, record.RunEnded} {
			e := record.Event{Host: "node"}
			if what != record.RunStarted {
				e = s.events[job.Folder()]
				e.Step = 1380
			}
			e.Event, e.Run, e.Previous, e.Time = what, job.Folder(), last, now
			line, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			last = record.Digest(line)
			lines = append(append(lines, line...), '\n')
		}
	}
	if err := os.WriteFile(files[0], lines, 0o666); err != nil {
		t.Fatal(err)
	}
}

// scaleRun writes the record of a run with made-up numbers, a function of the job.
func scaleRun(t *testing.T, s *study.Study, job record.Job, rule optim.Rule) record.Event {
	t.Helper()
	config := record.Config{
		Schema: record.Schema, Job: job, OptimizerSettings: optim.Settings(rule), Rule: optim.Source(rule),
		TrainPictures: 1437, ValPictures: 360, Parameters: 1000, Steps: 23 * s.Epochs, Device: "cpu", Machine: "m",
		Algorithms: map[string]string{"out forward": "native"}, Build: record.Build{Commit: "c", Go: "g", Platform: "p"},
	}
	random := rand.New(rand.NewPCG(uint64(job.Seed), uint64(len(job.Optimizer))))
	var epochs []record.Epoch
	for i := range s.Epochs {
		epochs = append(epochs, record.Epoch{Epoch: i + 1, TrainLoss: random.Float64(), TrainAcc: float64(random.IntN(1437)) / 1437,
			ValLoss: random.Float64(), ValAcc: float64(random.IntN(360)) / 360, F1: random.Float64(), Seconds: random.Float64()})
	}
	final := config.Final(record.Finished)
	final.Summarize(epochs)
	folder := filepath.Join(s.Out, filepath.FromSlash(job.Folder()))
	if err := os.MkdirAll(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	for _, e := range epochs {
		if err := json.NewEncoder(&lines).Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name string, content []byte) {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("epochs.jsonl", lines.Bytes())
	for name, v := range map[string]any{"config.json": config, "final.json": final} {
		content, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		write(name, append(content, '\n'))
	}
	event, there, err := record.Run{Folder: folder}.Record()
	if !there || err != nil {
		t.Fatal(there, err)
	}
	return event
}

// quickStudyOf is the study that TestScale's commands name.
func quickStudyOf(t *testing.T, rules []optim.Rule, seeds int) *study.Study {
	t.Helper()
	s := &study.Study{Settings: scaleSettings(), Datasets: []string{"digits"}, Optimizers: rules, Device: "cpu"}
	for seed := range seeds {
		s.Seeds = append(s.Seeds, seed)
	}
	return s
}

func scaleSettings() record.Settings {
	return record.Settings{Model: "mlp", Epochs: 60, Batch: 64, Protocol: record.ProtocolPilot, Augment: record.AugmentNone, Math: "fp32",
		Endpoint: record.DefaultEndpoint(record.ProtocolPilot), Average: record.AverageNone}
}
