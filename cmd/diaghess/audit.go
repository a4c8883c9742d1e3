package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/urfave/cli/v2"

	"diaghess/train/audit"
	"diaghess/train/record"
	"diaghess/train/study"
)

// auditCommand is `diaghess audit`: is a study what it says?
func auditCommand() *cli.Command {
	return strict(&cli.Command{
		Name:      "audit",
		Usage:     "check a study's files against each other and its ledger, and repeat sampled runs",
		ArgsUsage: "STUDY",
		Description: "STUDY is the folder of a study, with study.json. Sampled runs are trained again and compared with their records,\n" +
			"bit for bit. A run that another processor family, library, card or version of the program made may not be\n" +
			"repeatable here: the audit says so. The last line of the output can be quoted. The exit status is 1 if a fault or a\n" +
			"difference was found. No file tells of a ledger that was rewritten whole: deposit the plan's digest, which study\n" +
			"prints at its start, elsewhere, and compare it with --plan.",
		Flags: []cli.Flag{
			whole(&cli.IntFlag{Name: "runs", Value: 2, Usage: "repeat `N` sampled runs; 0 only checks the files"}, 0, study.MostRuns),
			whole(&cli.IntFlag{Name: "steps", Usage: "repeat `N` steps of each of them, rounded up to whole epochs, from its beginning or from a checkpoint that study --keep-checkpoints left; 0 repeats whole runs"}, 0, math.MaxInt32),
			&cli.Uint64Flag{Name: "seed", Usage: "sample the runs by the random seed `N` (default: one that is not known before)"},
			shardFlag("that part of the sampled runs; give all shards the same --seed"),
			&cli.StringFlag{Name: "plan", Usage: "compare the ledger's plan with the `DIGEST` that was deposited when the study began"},
			whole(&cli.IntFlag{Name: "threads", Usage: "threads of a run on the cpu (default: all processors); does not change results"}, 0, mostThreads),
			&cli.BoolFlag{Name: "json", Usage: "write JSON"},
			dataFlag(),
			list(&cli.StringFlag{Name: "datasets", Usage: "find datasets of your own in `LIST`, as study had them (default: where they were for the study)"}),
		},
		Action: promptly(runAudit),
	})
}

func runAudit(c *cli.Context) error {
	arguments, err := positionals(c)
	if err != nil {
		return err
	}
	if len(arguments) != 1 {
		return errors.New("name the folder of one study: diaghess audit STUDY")
	}
	named, on, err := openDatasets(c, c.String("datasets"))
	if err != nil {
		return err
	}
	o := audit.Options{
		Study: arguments[0], Data: on, Datasets: named, Runs: c.Int("runs"), Steps: c.Int("steps"),
		Seed: c.Uint64("seed"), Plan: c.String("plan"), Threads: c.Int("threads"),
	}
	if o.Shard, err = shard(c, os.Getenv); err != nil {
		return err
	}
	if o.Shard.Of > 1 && !c.IsSet("seed") {
		return errors.New("shards of an audit sample the same runs: give all of them the same --seed")
	}
	info, err := os.Stat(o.Study)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder: unpack an archive first", o.Study)
	}
	if trials := filepath.Join(o.Study, "trials", record.StudyFile); !exists(filepath.Join(o.Study, record.StudyFile)) && exists(trials) {
		return fmt.Errorf("%s is the folder of a tuning: audit its trials, %s", o.Study, filepath.Dir(trials))
	}
	if !c.IsSet("seed") {
		o.Seed = audit.NewSeed()
	}
	if !c.IsSet("runs") {
		ended, _, err := record.Runs(os.DirFS(o.Study), o.Study)
		if err != nil {
			return err
		}
		o.Runs = min(o.Runs, len(ended))
	}
	r, err := audit.Run(c.Context, o, &auditLines{to: c.App.ErrWriter})
	if r == nil {
		return err
	}
	var printed error
	if c.Bool("json") {
		content, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		_, printed = fmt.Fprintln(c.App.Writer, escaped(string(content)))
	} else {
		printed = printAudit(c.App.Writer, r)
	}
	if err = cmp.Or(err, printed); err == nil && !r.Sound() {
		err = errors.New("the study is not what its records say: see the faults and differences above")
	}
	return err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// auditLines writes how an audit goes: a line for each repeated run, and for its epochs one now
// and then.
type auditLines struct {
	to   io.Writer
	last time.Time
}

func (l *auditLines) Repeating(run string) {
	fmt.Fprintln(l.to, "repeating", plain(run))
	l.last = time.Now()
}

func (l *auditLines) Epoch(epoch, of int) {
	if time.Since(l.last) > 10*time.Second {
		fmt.Fprintf(l.to, "  epoch %d of %d\n", epoch, of)
		l.last = time.Now()
	}
}

func (l *auditLines) Repeated(audit.Repetition) {}

// escaped is JSON with escapes for what a terminal would obey, which package json writes as it is.
func escaped(content string) string {
	var b strings.Builder
	for _, r := range content {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, "\\u%04x", unit)
			}
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// plain is a text from a file without what a terminal would obey.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '\uFFFD'
		}
		return r
	}, text)
}

func printAudit(w io.Writer, r *audit.Report) error {
	for _, f := range r.Faults {
		fmt.Fprintln(w, "FAULT:", plain(f.String()))
	}
	for _, remark := range r.Remarks {
		fmt.Fprintln(w, "note:", plain(remark))
	}
	if r.Plan != "" {
		fmt.Fprintln(w, "plan:", plain(r.Plan))
	}
	fmt.Fprintln(w, "results:", r.Results)
	for _, p := range r.Repetitions {
		fmt.Fprintln(w, plain(p.String()))
	}
	_, err := fmt.Fprintln(w, plain(r.Quote()))
	return err
}
