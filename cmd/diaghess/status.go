package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"diaghess/train/record"
	"diaghess/train/status"
	"diaghess/train/tune"
)

// statusCommand is `diaghess status`: how studies are going.
func statusCommand() *cli.Command {
	return strict(&cli.Command{
		Name:      "status",
		Usage:     "say how studies are going: which runs are trained where, how far they are, what failed",
		ArgsUsage: "DIR...",
		Description: "Each DIR is the folder that --out of study or tune named, or that of a shard. The command reads what is there and writes\n" +
			"nothing. On a terminal it goes on until all is done. The time left is that of the slowest shard at its present pace.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "write JSON, once"},
			&cli.DurationFlag{Name: "every", Value: 5 * time.Second, Usage: "on a terminal, look again after a `TIME`"},
			&cli.BoolFlag{Name: "once", Usage: "look once, also on a terminal"},
		},
		Action: promptly(runStatus),
	})
}

func runStatus(c *cli.Context) error {
	folders, err := positionals(c)
	if err != nil {
		return err
	}
	if len(folders) == 0 {
		return errors.New("name the folders of studies: diaghess status DIR")
	}
	if c.Duration("every") < time.Second {
		return fmt.Errorf("--every %v: give a second or more", c.Duration("every"))
	}
	reader := &status.Reader{Trials: tune.TrialsFolder}
	for redraw := term.IsTerminal(int(os.Stdout.Fd())) && !c.Bool("once") && !c.Bool("json"); ; {
		studies := []*status.Study{}
		complete := true
		for _, folder := range folders {
			s, err := reader.Read(folder)
			if err != nil {
				return err
			}
			studies = append(studies, s)
			complete = complete && s.Complete()
		}
		if c.Bool("json") {
			content, err := json.MarshalIndent(studies, "", "  ")
			if err == nil {
				_, err = fmt.Fprintln(c.App.Writer, escaped(string(content)))
			}
			return err
		}
		var text strings.Builder
		for _, s := range studies {
			printStatus(&text, s, time.Now())
		}
		if redraw {
			fmt.Fprint(c.App.Writer, "\x1b[H\x1b[J")
		}
		if _, err := fmt.Fprint(c.App.Writer, text.String()); err != nil || !redraw || complete {
			return err
		}
		select {
		case <-c.Context.Done():
			return nil
		case <-time.After(c.Duration("every")):
		}
	}
}

// mostShown is how many shards, failures and runs of a shard a person is shown.
const mostShown = 20

func printStatus(w io.Writer, s *status.Study, now time.Time) {
	runs := record.Plural(s.Runs, "run")
	if s.Unsized > 0 {
		runs = "at least " + runs
	}
	parts := []string{fmt.Sprintf("%d of %s ended", s.Ended, runs)}
	for _, n := range []struct {
		count int
		what  string
	}{{s.Diverged, "diverged"}, {s.Running, "running"}, {s.Failed, "failed"}} {
		if n.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n.count, n.what))
		}
	}
	if s.Steps > 0 && s.Unsized == 0 {
		parts = append(parts, fmt.Sprintf("%.0f %% of the steps", 100*float64(s.Done)/float64(s.Steps)))
	}
	switch {
	case s.Complete() && s.Merged:
		parts = append(parts, "merged")
	case s.Left != nil && !s.Complete():
		parts = append(parts, "about "+duration(*s.Left)+" left")
	}
	if s.MergedRuns > 0 && !s.Merged {
		parts = append(parts, fmt.Sprintf("%d merged", s.MergedRuns))
	}
	if s.Needless > 0 {
		parts = append(parts, fmt.Sprintf("%d more not needed: decided at a look", s.Needless))
	}
	fmt.Fprintf(w, "%s: %s\n", plain(s.Folder), strings.Join(parts, ", "))

	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  shard\tstate\tended\twhere\tlast sign\tleft\tnow")
	hidden, notes := 0, []string{}
	shown := 0
	for _, shard := range s.Shards {
		for _, f := range shard.Failures {
			notes = append(notes, "FAILED: "+plain(f.Run+": "+f.Why))
		}
		for _, fault := range shard.Ledger {
			notes = append(notes, "CAUTION: "+plain(fault.String()))
		}
		if len(s.Shards) > mostShown && (shown == mostShown || shard.State == status.Complete || shard.State == status.Waiting) {
			hidden++
			continue
		}
		shown++
		var runs []string
		for _, run := range shard.Now {
			runs = append(runs, fmt.Sprintf("%s %d/%d", run.Run, run.Epoch, run.Of))
		}
		if n := len(runs); n > 2 {
			runs = append(runs[:2], fmt.Sprintf("and %d more", n-2))
		}
		last, left := "", ""
		if shard.Last != nil {
			last = duration(now.Sub(*shard.Last).Seconds()) + " ago"
		}
		if shard.Left != nil {
			left = duration(*shard.Left)
		}
		name := shard.Name
		if name == "" {
			name = "all"
		}
		of := fmt.Sprint(shard.Runs)
		if shard.Unsized > 0 {
			of = "?"
		}
		fmt.Fprintf(table, "  %s\t%s\t%d/%s\t%s\t%s\t%s\t%s\n", name, shard.State, shard.Ended, of, plain(strings.TrimSpace(shard.Host+" "+shard.Device)), last, left, plain(strings.Join(runs, ", ")))
	}
	table.Flush()
	if hidden > 0 {
		states := map[status.State]int{}
		for _, shard := range s.Shards {
			states[shard.State]++
		}
		fmt.Fprintf(w, "  not shown: %s; all are %v\n", record.Plural(hidden, "shard"), strings.TrimPrefix(fmt.Sprint(states), "map"))
	}
	for i, note := range notes {
		if i == mostShown {
			fmt.Fprintf(w, "  and %d more\n", len(notes)-i)
			break
		}
		fmt.Fprintln(w, "  "+note)
	}
}

// duration is a time in seconds for a person.
func duration(seconds float64) string {
	d := time.Duration(max(0, seconds) * float64(time.Second))
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
}
