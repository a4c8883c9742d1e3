package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/urfave/cli/v2"

	"diaghess/train/record"
)

// slurmFlags have a command print, or submit, a job array of its shards in place of doing them.
func slurmFlags() []cli.Flag {
	return []cli.Flag{
		whole(&cli.IntFlag{Name: "slurm", Usage: "print a script that submits an array of `N` shards to Slurm, and a job that merges them"}, 1, record.MostShards),
		given{documented: &cli.StringFlag{Name: "slurm-option", Usage: "with --slurm, pass `KEY=VALUE` to sbatch, such as partition=gpu, time=4:00:00, gres=gpu:1 or container-image=FILE; give it once for each"}, separator: "\n"},
		&cli.BoolFlag{Name: "submit", Usage: "run the script of --slurm"},
	}
}

//go:embed slurm.sh
var slurmScript string

// slurmJob is what the script is made of. All texts are words of a shell.
type slurmJob struct {
	Last         int
	Name         string
	Options      []string // of the array
	MergeOptions []string // those without devices
	Program      string   // with its command and flags
	Of           int
	Merge        []string // commands
}

// slurm prints the script for a command, whose result lies in out, or runs it. after are the
// commands that follow a merge.
func slurm(c *cli.Context, out string, after ...[]string) error {
	if c.IsSet("shard") {
		return fmt.Errorf("--shard %s: --slurm has all shards done: leave one of the two out", shown(c.String("shard")))
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	words := []string{program, c.Command.Name}
	for _, f := range c.Command.Flags {
		switch name := f.Names()[0]; {
		case !c.IsSet(name) || slices.Contains([]string{"slurm", "slurm-option", "submit"}, name):
		case c.Value(name) == true:
			words = append(words, "--"+name)
		default:
			words = append(words, fmt.Sprintf("--%s=%v", name, c.Value(name)))
		}
	}
	n := c.Int("slurm")
	job := slurmJob{Last: n - 1, Of: n, Name: shellCommand("--job-name=diaghess-" + c.Command.Name), Program: shellCommand(words...)}
	for _, command := range append([][]string{{"merge", operand(out)}}, after...) {
		job.Merge = append(job.Merge, shellCommand(append([]string{program}, command...)...))
	}
	for option := range strings.SplitSeq(c.String("slurm-option"), "\n") {
		key, value, isSet := strings.Cut(strings.TrimLeft(option, "-"), "=")
		switch {
		case option == "":
			continue
		case !slurmKey.MatchString(key) || strings.ContainsFunc(option, func(r rune) bool { return r < ' ' }):
			return fmt.Errorf("--slurm-option %s: give the long name of an option of sbatch and its value, such as partition=gpu", shown(option))
		case slices.Contains([]string{"array", "dependency", "signal", "requeue", "no-requeue", "wrap", "parsable", "kill-on-invalid-dep"}, key):
			return fmt.Errorf("--slurm-option %s: the script sets %s itself", shown(option), key)
		}
		word := "--" + key
		if isSet {
			word += "=" + value
		}
		word = shellCommand(word)
		job.Options = append(job.Options, word)
		if !strings.HasPrefix(key, "gpu") && key != "gres" {
			job.MergeOptions = append(job.MergeOptions, word)
		}
	}
	var script strings.Builder
	if err := template.Must(template.New("").Parse(slurmScript)).Execute(&script, job); err != nil {
		return err
	}
	if strings.Contains(job.Program, "\n") {
		return errors.New("a value with a line break cannot be passed to Slurm: leave it out")
	}
	if !c.Bool("submit") {
		_, err := fmt.Fprint(c.App.Writer, script.String())
		return err
	}
	submit := exec.CommandContext(c.Context, "bash")
	submit.Stdin, submit.Stdout, submit.Stderr = strings.NewReader(script.String()), c.App.Writer, c.App.ErrWriter
	if err := submit.Run(); err != nil {
		return fmt.Errorf("submit to Slurm: %w; print the script without --submit", err)
	}
	return nil
}

var slurmKey = regexp.MustCompile(`^[a-z][a-z0-9-]+$`)
