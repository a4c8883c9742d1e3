//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

// The shard comes from the flag or the scheduler, whatever numbers its array has.
func TestShardOfScheduler(t *testing.T) {
	slurm := func(id, count, first, last, step string) map[string]string {
		return map[string]string{"SLURM_ARRAY_TASK_ID": id, "SLURM_ARRAY_TASK_COUNT": count, "SLURM_ARRAY_TASK_MIN": first, "SLURM_ARRAY_TASK_MAX": last, "SLURM_ARRAY_TASK_STEP": step}
	}
	for name, c := range map[string]struct {
		flags       []string
		environment map[string]string
		want        string // of the shard, or of the error
	}{
		"none":                 {nil, nil, "0/0"},
		"flag":                 {[]string{"--shard", "2/3"}, slurm("1", "4", "0", "3", "1"), "2/3"},
		"refused":              {[]string{"--shard", "none"}, slurm("1", "4", "0", "3", "1"), "0/0"},
		"too large":            {[]string{"--shard", "3/3"}, nil, "--shard: shard 3/3: shards are numbered from 0, so the last of 3 is 2/3"},
		"slurm":                {nil, slurm("3", "4", "0", "3", "1"), "3/4"},
		"slurm from 1":         {nil, slurm("4", "4", "1", "4", "1"), "3/4"},
		"slurm by 5":           {nil, slurm("15", "3", "10", "20", "5"), "1/3"},
		"slurm with a gap":     {nil, slurm("9", "3", "1", "9", "1"), "task 9 of 3 is in no array"},
		"slurm without count":  {nil, map[string]string{"SLURM_ARRAY_TASK_ID": "1"}, "SLURM_ARRAY_TASK_COUNT is \"\""},
		"kubernetes":           {nil, map[string]string{"JOB_COMPLETION_INDEX": "2", "JOB_COMPLETIONS": "5"}, "2/5"},
		"kubernetes, no count": {nil, map[string]string{"JOB_COMPLETION_INDEX": "2"}, "set JOB_COMPLETIONS"},
		"no index":             {nil, map[string]string{"JOB_COMPLETION_INDEX": "x", "JOB_COMPLETIONS": "5"}, "give its number"},
	} {
		t.Run(name, func(t *testing.T) {
			app := newApp()
			var said bytes.Buffer
			app.Writer, app.ErrWriter = &said, &said
			command := app.Command("tune")
			got := ""
			command.Action = shardAction(func(name string) string { return c.environment[name] }, &got)
			if err := app.Run(append([]string{"diaghess", "tune"}, c.flags...)); err != nil {
				got = err.Error()
			}
			if got != c.want && !(strings.Contains(got, " ") && strings.Contains(got, c.want)) {
				t.Errorf("%s, want %s", got, c.want)
			}
			fromScheduler := c.flags == nil && c.environment != nil && !strings.Contains(got, " ")
			if says := strings.Count(said.String(), "\n"); (says == 1) != fromScheduler {
				t.Errorf("it says %q", said.String())
			}
		})
	}
}

// The script of --slurm passes every value as it was given, and queues a task again when its time
// is up or it was killed, and not when it was cancelled or failed. sbatch, scontrol and the
// program are stand-ins here; .ci/slurm has real ones.
func TestSlurmScript(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("there is no bash here")
	}
	const note = `it's; "$(touch bad)" & a \ b *`
	folder := t.TempDir()
	out := filepath.Join(folder, "a 'study'")
	script, _, err := runApp(t, "study", "--datasets", "digits", "--model", "mlp", "--epochs", "3", "--seeds", "0-3", "--note", note, "--device", "cpu", "--out", out,
		"--allow-other-tuning", "--slurm", "3", "--slurm-option", "partition=gpu", "--slurm-option", "gres=gpu:1", "--slurm-option", "comment=a b; 'c'")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	write("sbatch", "#!/bin/bash\nn=$(cat n 2>/dev/null || echo 7)\nprintf '%s\\n' \"$@\" >options-$n\ncat >script-$n\necho \"$n;cluster\"\necho $((n+1)) >n\n")
	write("scontrol", "#!/bin/bash\necho scontrol \"$@\"\n")
	write("program", "#!/bin/bash\nprintf '%s\\n' \"$@\" >arguments-$SLURM_ARRAY_TASK_ID\ntrap 'exit 130' TERM\ntouch started\n[ -z \"$SECONDS_LONG\" ] || for i in $(seq 200); do sleep .1; done\nexit ${STATUS:-0}\n")
	bash := func(script string, environment ...string) *exec.Cmd {
		command := exec.Command("bash", "-c", strings.ReplaceAll(script, shellCommand(program), "./program"))
		command.Dir = folder
		command.Env = append(append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH")), environment...)
		return command
	}
	if said, err := bash(script).CombinedOutput(); err != nil || string(said) != "submitted the array 7 of 3 shards, and the job 8, which merges them\n" {
		t.Fatalf("%v: %s", err, said)
	}
	read := func(name string) string {
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	for name, want := range map[string]string{
		"options-7": "--parsable\n--job-name=diaghess-study\n--array=0-2\n--requeue\n--open-mode=append\n--signal=B:USR1@60\n--partition=gpu\n--gres=gpu:1\n--comment=a b; 'c'\n",
		"options-8": "--parsable\n--job-name=diaghess-study-merge\n--dependency=afterok:7\n--kill-on-invalid-dep=yes\n--partition=gpu\n--comment=a b; 'c'\n",
	} {
		if got := read(name); got != want {
			t.Errorf("%s are\n%s\nwant\n%s", name, got, want)
		}
	}
	array := read("script-7")
	if said, err := bash(array, "SLURM_ARRAY_TASK_ID=1").CombinedOutput(); err != nil || len(said) > 0 {
		t.Fatalf("%v: %s", err, said)
	}
	want := "study\n--datasets=digits\n--seeds=0-3\n--model=mlp\n--epochs=3\n--out=" + out + "\n--device=cpu\n--allow-other-tuning\n--note=" + note + "\n--shard=1/3\n"
	if got := read("arguments-1"); got != want {
		t.Errorf("arguments\n%s\nwant\n%s", got, want)
	}
	if merge := read("script-8"); !strings.Contains(merge, "./program "+shellCommand("merge", out)+"\n./program "+shellCommand("report", out, "--out", out)+"\n") {
		t.Errorf("the merge is\n%s", merge)
	}
	const again = "scontrol requeue 7_1\n"
	for name, c := range map[string]struct {
		environment []string
		signal      string // to the shell, or to all
		said        string
		status      int
	}{
		"error":                     {[]string{"STATUS=1"}, "", "", 1},
		"killed":                    {[]string{"STATUS=137"}, "", again, 0},
		"killed for the third time": {[]string{"STATUS=137", "SLURM_RESTART_COUNT=3"}, "", "", 137},
		"time is up":                {[]string{"SECONDS_LONG=1"}, "USR1", again, 0},
		"cancelled":                 {[]string{"SECONDS_LONG=1"}, "TERM", "", 130},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.RemoveAll(filepath.Join(folder, "started")); err != nil {
				t.Fatal(err)
			}
			task := bash(array, append(c.environment, "SLURM_ARRAY_TASK_ID=1", "SLURM_ARRAY_JOB_ID=7")...)
			var said bytes.Buffer
			task.Stdout, task.Stderr = &said, &said
			signalled(t, task, c.signal, func() bool { _, err := os.Stat(filepath.Join(folder, "started")); return err == nil })
			plainly := regexp.MustCompile(`(?m)^.*(Terminated|User defined).*\n`).ReplaceAllString(said.String(), "")
			if plainly != c.said || task.ProcessState.ExitCode() != c.status {
				t.Errorf("said %q, status %d, want %q, %d", said.String(), task.ProcessState.ExitCode(), c.said, c.status)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(folder, "bad")); err == nil {
		t.Error("a value was run")
	}
	dashed, _, err := runApp(t, "study", "--datasets", "digits", "--model", "mlp", "--device", "cpu", "--out=-x", "--slurm", "2")
	if err != nil || !strings.Contains(dashed, shellCommand(program, "merge", "./-x")+"\n") {
		t.Errorf("%v: the merge of -x is in\n%s", err, dashed)
	}
	for want, arguments := range map[string][]string{
		"come with --slurm N":   {"--submit"},
		"the script sets array": {"--slurm", "2", "--slurm-option", "array=1"},
		"give the long name":    {"--slurm", "2", "--slurm-option", "-p=gpu"},
		"leave one of the two":  {"--slurm", "2", "--shard", "0/2"},
		"21 shards of 20 units": {"--slurm", "21"},
		"a whole number from 1": {"--slurm", "0"},
	} {
		if _, _, err := runApp(t, append([]string{"study", "--datasets", "digits", "--model", "mlp", "--device", "cpu", "--out", filepath.Join(folder, "new")}, arguments...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", arguments, err, want)
		}
	}
}

// A tuning in shards has the result of one without, byte for byte, and goes on after a merge.
func TestTuneInShards(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	folder := t.TempDir()
	whole, parts := filepath.Join(folder, "whole"), filepath.Join(folder, "parts")
	tune := func(out string, more ...string) {
		t.Helper()
		arguments := []string{"tune", "--dataset", "digits", "--model", "mlp", "--limit", "200", "--epochs", "4", "--optimizers", "adamw,sgd", "--trials", "4", "--halving", "2", "--repeats", "3",
			"--space", "lr=1e-4..1e-2 log", "--device", "cpu", "--out", out}
		if _, _, err := runApp(t, append(arguments, more...)...); err != nil {
			t.Fatal(err)
		}
	}
	tune(whole)
	tune(parts, "--shard", "0/2")
	if _, _, err := runApp(t, "merge", parts); err == nil || !strings.Contains(err.Error(), "shard 1/2: its folder is not there") {
		t.Errorf("a merge without a shard: %v", err)
	}
	if _, _, err := runApp(t, "study", "--optimizers", "@"+filepath.Join(parts, "shard-0-of-2", "tuned.json")); err == nil || !strings.Contains(err.Error(), "merge the shards") {
		t.Errorf("a study of a shard: %v", err)
	}
	tune(parts, "--shard", "1/2")
	tune(parts, "--shard", "1/2") // has ended
	for range 2 {
		if _, _, err := runApp(t, "merge", parts); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"tuned.json", "trials/study.json"} {
		want, err := os.ReadFile(filepath.Join(whole, name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(parts, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v, is\n%s\nwant\n%s", name, err, got, want)
		}
	}
	before := filesIn(t, filepath.Join(parts, "trials", "digits"))
	tune(parts)
	if after := filesIn(t, filepath.Join(parts, "trials", "digits")); after != before {
		t.Errorf("the merged tuning trained again: %d files, before %d", after, before)
	}
	if stdout, _, err := runApp(t, "status", parts); err != nil || !strings.Contains(stdout, "merged") {
		t.Errorf("%v: %s", err, stdout)
	}

	// A shard whose trials are gone is not complete, and has no result.
	shard, fresh := filepath.Join(parts, "shard-0-of-2"), filepath.Join(folder, "fresh")
	ledgers, err := filepath.Glob(filepath.Join(shard, "trials", "ledger", "*"))
	trials, globErr := filepath.Glob(filepath.Join(shard, "trials", "digits", "adamw*"))
	if err := errors.Join(err, globErr); err != nil || len(trials) != 8 {
		t.Fatal(trials, err)
	}
	for _, ledger := range ledgers { // one that was written just now is waited for
		if err := os.Chtimes(ledger, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(trials[0]); err != nil {
		t.Fatal(err)
	}
	if _, _, err := runApp(t, "merge", fresh, parts); err == nil || !strings.Contains(err.Error(), "shard 0/2: 1 of its 16 trial runs are gone") {
		t.Errorf("a merge without a trial: %v", err)
	}
	if _, _, err := runApp(t, "merge", "--partial", fresh, parts); err != nil || exists(filepath.Join(fresh, "tuned.json")) {
		t.Errorf("a partial merge without a trial: %v, or it has a result", err)
	}
}

// What merge advises, merge has.
func TestMergeAdvises(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	write(t, file, "")
	study := []string{"study", "--datasets", "digits", "--model", "mlp", "--epochs", "1", "--limit", "100", "--optimizers", "adamw,sgd", "--seeds", "0", "--device", "cpu", "--shard", "0/1", "--out"}
	foreign := filepath.Join(folder, "foreign")
	if _, _, err := runApp(t, append(study, foreign)...); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(foreign, "metrics.csv"), "mine")
	for _, c := range []struct {
		out, from, want string
	}{
		{foreign, foreign, "choose another folder as OUT, or add --force"},
		{file, foreign, "OUT " + shown(file) + ": this is a file"},
		{filepath.Join(folder, "new"), folder, "holds no shards"},
		{"", foreign, "an argument is empty"},
	} {
		if _, _, err := runApp(t, "merge", c.out, c.from); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %q", c.out, err, c.want)
		}
	}
	if exists(filepath.Join(folder, "new")) {
		t.Error("a refused merge has left a folder")
	}
}

// The shards in OUT are merged with those that were copied from elsewhere.
func TestMergeOfOwnAndOthers(t *testing.T) {
	own, other := t.TempDir(), t.TempDir()
	for i, out := range []string{own, other} {
		if _, _, err := runApp(t, "study", "--datasets", "digits", "--model", "mlp", "--epochs", "1", "--limit", "100", "--optimizers", "adamw,sgd", "--seeds", "0,1", "--device", "cpu", "--shard", fmt.Sprintf("%d/2", i), "--out", out); err != nil {
			t.Fatal(err)
		}
	}
	if out, _, err := runApp(t, "merge", own, other); err != nil || !strings.Contains(out, "merged 2 of 2 shards, 4 of 4 runs") {
		t.Errorf("%v: %s", err, out)
	}
}

// filesIn counts the epochs' lines below a folder.
func filesIn(t *testing.T, folder string) (lines int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*", "*", "epochs.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines += bytes.Count(content, []byte("\n"))
	}
	return lines
}

// waitFor waits until something is so.
func waitFor(t *testing.T, is func() bool) {
	t.Helper()
	for range 3000 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("waited in vain")
}

// shardAction is an action that tells the command's shard.
func shardAction(getenv func(string) string, got *string) cli.ActionFunc {
	return func(c *cli.Context) error {
		s, err := shard(c, getenv)
		*got = s.String()
		return err
	}
}

// signalled runs a task to its end. When it is ready, USR1 goes to its shell alone, as Slurm sends
// it, and TERM to all of its processes.
func signalled(t *testing.T, task *exec.Cmd, signal string, ready func() bool) {
	t.Helper()
	task.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := task.Start(); err != nil {
		t.Fatal(err)
	}
	if signal != "" {
		waitFor(t, ready)
		pid, which := task.Process.Pid, syscall.SIGUSR1
		if signal == "TERM" {
			pid, which = -pid, syscall.SIGTERM
		}
		if err := syscall.Kill(pid, which); err != nil {
			t.Fatal(err)
		}
	}
	if err := task.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
}
