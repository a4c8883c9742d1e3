package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"diaghess/train"
	"diaghess/train/record"
	"diaghess/train/study"
	"diaghess/train/tune"
)

// noShard is the value of --shard for the whole, also in an array job.
const noShard = "none"

// completions names the environment variable for how many pods an indexed job of Kubernetes has,
// which sets their index alone.
const completions = "JOB_COMPLETIONS"

// shardFlag chooses a part of a command's work.
func shardFlag(part string) cli.Flag {
	return &cli.StringFlag{Name: "shard", Usage: "do shard `I/N` only, " + part + "; see docs/cluster.md",
		DefaultText: "in an array job of Slurm its task, in an indexed job of Kubernetes its index of $" + completions + "; " + noShard + " for all"}
}

// shard reads the shard of the flag or, without it, of the scheduler that started this process,
// and says so.
func shard(c *cli.Context, getenv func(string) string) (s record.Shard, err error) {
	given := c.String("shard")
	if c.IsSet("submit") || c.IsSet("slurm-option") {
		return s, errors.New("--submit and --slurm-option come with --slurm N")
	}
	switch {
	case given == noShard:
		return s, nil
	case given != "":
		if s, err = record.ParseShard(given); err != nil {
			err = fmt.Errorf("--shard: %w", err)
		}
		return s, err
	}
	var from string
	if getenv("SLURM_ARRAY_TASK_ID") != "" {
		from = "SLURM_ARRAY_TASK_ID"
		s, err = slurmShard(getenv)
	} else if index := getenv("JOB_COMPLETION_INDEX"); index != "" {
		from = "JOB_COMPLETION_INDEX"
		s, err = record.ParseShard(index + "/" + getenv(completions))
		if getenv(completions) == "" {
			err = fmt.Errorf("set %s to the number of completions", completions)
		}
	} else {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("%s is set, but names no shard: %w; or give --shard I/N, or --shard %s for the whole", from, err, noShard)
	}
	fmt.Fprintf(c.App.ErrWriter, "shard %v, from %s; --shard %s does all\n", s, from, noShard)
	return s, nil
}

// slurmShard is the shard of a task of an array, which need not begin at 0 or have a step of 1.
func slurmShard(getenv func(string) string) (s record.Shard, err error) {
	number := func(name string, usual int) int {
		text := getenv(name)
		n, wrong := strconv.Atoi(text)
		if text == "" && usual >= 0 {
			return usual
		}
		if wrong != nil && err == nil {
			err = fmt.Errorf("%s is %s", name, shown(text))
		}
		return n
	}
	id, count := number("SLURM_ARRAY_TASK_ID", -1), number("SLURM_ARRAY_TASK_COUNT", -1)
	first, step := number("SLURM_ARRAY_TASK_MIN", 0), number("SLURM_ARRAY_TASK_STEP", 1)
	if err != nil {
		return s, err
	}
	if step < 1 || (id-first)%step != 0 || first+(count-1)*step != number("SLURM_ARRAY_TASK_MAX", first+(count-1)*step) {
		return s, fmt.Errorf("task %d of %d is in no array such as 0-15 or 0-30:2", id, count)
	}
	return record.ParseShard(fmt.Sprintf("%d/%d", (id-first)/step, count))
}

// inShard puts a study, or a tuning, into the folder of the shard that the flags name.
func inShard(c *cli.Context, s *study.Study) (err error) {
	if s.Shard, err = shard(c, os.Getenv); err == nil && s.Shard.Of > 0 {
		s.Out = filepath.Join(s.Out, s.Shard.Folder())
	}
	return err
}

// shardDone says what comes after a shard.
func shardDone(c *cli.Context, s *study.Study) {
	out := filepath.Dir(s.Out)
	fmt.Fprintf(c.App.ErrWriter, "shard %v is complete, in %s; when all are: %s\n", s.Shard, s.Out, shellCommand(os.Args[0], "merge", operand(out)))
}

// mergeCommand is `diaghess merge`: shards become one study.
func mergeCommand() *cli.Command {
	return strict(&cli.Command{
		Name:      "merge",
		Usage:     "join the shards of a study, or of a tuning, into one",
		ArgsUsage: "OUT [DIR...]",
		Description: "OUT is the folder that --out of study --shard named. Without DIR its own shards are merged. Else each DIR is the folder of\n" +
			"a shard, or holds such folders. The merged study is what one machine would have made, except for times and machines.\n" +
			"The shards stay as they are: files are linked where the file system can, and else copied. The same command goes on\n" +
			"after an interruption, and adds what is new since. Nothing that differs is replaced.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "partial", Usage: "merge also where shards are missing or have not ended; a report of the result needs --partial too"},
			&cli.BoolFlag{Name: "mixed", Usage: "merge runs of different devices or GPUs, which round differently; the runs of a pair are of one shard"},
			&cli.BoolFlag{Name: "force", Usage: "replace files in OUT that have the names of records or of a report, also if another program made them"},
		},
		Action: func(c *cli.Context) error { return asArgument(runMerge(c)) },
	})
}

// asArgument is an error that advises OUT in place of --out, which merge does not have.
func asArgument(err error) error {
	if err == nil {
		return nil
	}
	said := err.Error()
	if rest, ok := strings.CutPrefix(said, "--out "); ok {
		said = "OUT " + rest
	}
	if said = strings.ReplaceAll(said, " with --out", " as OUT"); said == err.Error() {
		return err
	}
	return errors.New(said)
}

func runMerge(c *cli.Context) error {
	folders, err := positionals(c)
	if err != nil {
		return err
	}
	if len(folders) == 0 {
		return fmt.Errorf("name the folder of a study: diaghess merge OUT [DIR...]")
	}
	out := folders[0]
	if len(folders) > 1 {
		folders = folders[1:]
		if own, err := record.Shards(os.DirFS(out)); err == nil && len(own) > 0 { // those of this machine
			folders = append([]string{out}, folders...)
		}
	}
	for _, folder := range folders {
		if _, err := os.Stat(folder); err != nil {
			return err
		}
	}
	if err := checkOut(out); err != nil {
		return err
	}
	merged, err := record.Merge(c.Context, record.Merging{
		Out: out, Folders: folders, Trials: tune.TrialsFolder, Divide: study.Divide, Build: train.ThisBuild(),
		Partial: c.Bool("partial"), Mixed: c.Bool("mixed"), Force: c.Bool("force"),
		Waiting: func(what string) { fmt.Fprintln(c.App.ErrWriter, what) },
		Lock: func() (func() error, error) {
			held, err := (&study.Study{Out: out, Shard: record.Shard{Of: 1}}).Lock(c.Context)
			if err != nil {
				return nil, err
			}
			return held.Close, nil
		},
	})
	if err != nil {
		return err
	}
	state := "merged"
	if !merged.New {
		state = "nothing is new:"
	}
	runs := record.Plural(merged.Runs, "run")
	if merged.Planned > 0 {
		runs = fmt.Sprintf("%d of %s", merged.Runs, record.Plural(merged.Planned, "run"))
	}
	fmt.Fprintf(c.App.Writer, "%s %d of %s, %s\nresults: %s\n", state, merged.Of-len(merged.Missing), record.Plural(merged.Of, "shard"), runs, merged.Results)
	if len(merged.Missing) > 0 {
		fmt.Fprintln(c.App.Writer, "incomplete or missing: "+strings.Join(merged.Missing, ", "))
	}
	const most = 5
	for i, fault := range merged.Faults {
		if i == most {
			fmt.Fprintf(c.App.ErrWriter, "and %d more: diaghess audit %s names them\n", len(merged.Faults)-most, out)
			break
		}
		fmt.Fprintln(c.App.ErrWriter, "CAUTION:", plain(fault.String()))
	}
	return nil
}
