package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	"diaghess/nearest"
	"diaghess/optim"
	"diaghess/optim/curvature"
	"diaghess/optim/rulefile"
	"diaghess/optim/rulefile/trial"
	"diaghess/train/atomicfile"
)

// ruleCommand is `diaghess rule`: what rules in files do, before anything is trained with them.
func ruleCommand() *cli.Command {
	return strict(&cli.Command{
		Name:   "rule",
		Usage:  "list and show the rules that are files of formulas, and check one of your own",
		Action: noCommand,
		Subcommands: []*cli.Command{
			{
				Name:   "list",
				Usage:  "list the rule files that are part of the program",
				Action: promptly(listRules),
			},
			{
				Name:      "show",
				Usage:     "print the text of a rule file that is part of the program",
				ArgsUsage: "NAME",
				Action:    promptly(showRule),
			},
			{
				Name:      "check",
				Usage:     "show what a rule file or a kernel of your own computes and moves, and test its kernels in the emulator",
				ArgsUsage: "FILE[:key=value,...]",
				Description: "FILE is a rule file, my.rule, a kernel in PTX, my.ptx, or the name of a rule that rule list has. The exit status is 1 if\n" +
					"there is a mistake in it, or if the emulator finds a fault. Keys are the file's own, and curvature. Bytes are those that the\n" +
					"kernels read and write for each element of the weights. The floor is what one pass would that reads and writes each array once.",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "ptx", Usage: "write the kernels, as PTX, to `FILE`"},
					&cli.BoolFlag{Name: "force", Usage: "replace FILE of --ptx"},
				},
				Action: promptly(checkRule),
			},
		},
	})
}

func listRules(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	t := newTable(table.Row{"rule", "slots"})
	t.SetColumnConfigs(nil) // words, at the left
	t.ResetHeaders()
	for _, name := range optim.FileNames() {
		rule, err := rulefile.Parse(name, rulefile.Source(name))
		if err != nil {
			return err
		}
		t.AppendRow(table.Row{name, rule.Summary})
	}
	fmt.Fprintln(c.App.Writer, t.Render())
	return nil
}

func showRule(c *cli.Context) error {
	names, err := positionals(c)
	if err != nil {
		return err
	}
	if len(names) != 1 {
		return errors.New("name one rule: diaghess rule show NAME; diaghess rule list has the names")
	}
	text := rulefile.Source(names[0])
	if text == "" && slices.Contains(optim.Names(), names[0]) {
		return fmt.Errorf("%s is no rule file: it is written by hand, see optim/%[1]s.go and diaghess study --help", names[0])
	}
	if text == "" {
		return nearest.Unknown("rule", names[0], optim.FileNames())
	}
	_, err = io.WriteString(c.App.Writer, text)
	return err
}

func checkRule(c *cli.Context) error {
	names, err := positionals(c)
	if err != nil {
		return err
	}
	if len(names) != 1 {
		return errors.New("name one file: diaghess rule check my.rule")
	}
	spec := names[0]
	for _, kind := range []string{"rule", "ptx"} {
		if path, _ := optim.Split(kind + ":" + spec); strings.HasSuffix(path, "."+kind) && !strings.HasPrefix(spec, kind+":") {
			spec = kind + ":" + spec
		}
	}
	k := &ruleCheck{w: c.App.Writer, clock: time.Now()}
	parsed, err := optim.Parse(spec)
	if err != nil {
		return err
	}
	rule, ok := parsed.(*optim.FileRule)
	if !ok {
		return fmt.Errorf("%s is no rule file: it is written by hand, and make test tests it", parsed.Name())
	}
	k.rule = rule
	_, k.settings = optim.Split(spec)
	out := c.String("ptx")
	if _, err := os.Lstat(out); out != "" && !errors.Is(err, fs.ErrNotExist) && !c.Bool("force") {
		return fmt.Errorf("--ptx %s: it exists: name another file, or replace it with --force", shown(out))
	}
	k.lap("read")
	if err := k.run(); err != nil {
		return err
	}
	if out != "" {
		_, text := k.trials[0].Kernels.Module()
		if err := atomicfile.WriteBytes(out, []byte(text)); err != nil {
			return err
		}
		fmt.Fprintln(c.App.ErrWriter, "wrote", out)
	}
	return nil
}

// ruleCheck is the check of a rule. It prints what it finds part by part.
type ruleCheck struct {
	w        io.Writer
	rule     *optim.FileRule
	settings string         // as they were given
	trials   []*trial.Trial // for each that may be known of the curvature; that of the settings first
	clock    time.Time
	times    []string
}

// lap takes the time of a part.
func (k *ruleCheck) lap(part string) {
	now := time.Now()
	k.times = append(k.times, fmt.Sprintf("%s %s ms", part, millis(now.Sub(k.clock))))
	k.clock = now
}

func (k *ruleCheck) run() error {
	if err := k.compile(); err != nil {
		return err
	}
	program := k.trials[0].Kernels.Program
	if err := k.applies(program.Rule.Keys); err != nil {
		return err
	}
	fmt.Fprintf(k.w, "%s: %s\n", k.rule.Name(), program.Rule.Summary)
	settings := optim.Settings(k.rule)
	for _, key := range program.Rule.Keys {
		fmt.Fprintf(k.w, "  %s=%s, %s\n", key.Flag(), settings[key.Flag()], key.Help)
	}
	for _, t := range k.trials {
		if err := k.passes(t); err != nil {
			return err
		}
	}
	k.lap("count")
	if err := k.descend(); err != nil {
		return err
	}
	if err := k.warn(); err != nil {
		return err
	}
	elements, tensors := trial.Elements()
	for _, t := range k.trials {
		if err := t.Emulate(); err != nil {
			return fmt.Errorf("%s, %s: %w", k.rule.Name(), curvatureWords(t.Diagonal), err)
		}
	}
	k.lap("emulate")
	bodies := "the formulas, their Go body and their PTX give the same bits"
	if program.Rule.Kernel() {
		bodies = "blocks and warps in another order give the same bits"
	}
	fmt.Fprintf(k.w, "\nemulator: no fault in %d steps on %d elements in %d tensors, and as many with gradients that are NaN or infinite; %s\n", trial.Steps, elements, tensors, bodies)
	fmt.Fprintf(k.w, "time: %s\n", strings.Join(k.times, ", "))
	return nil
}

// applies returns an error for settings that are not of the rule's own keys. The check does not apply
// them, except for curvature: that tells what may be known of h, of which the check has samples.
func (k *ruleCheck) applies(keys []rulefile.Key) error {
	own := []string{"curvature"}
	for _, key := range keys {
		own = append(own, key.Flag())
	}
	var idle []string
	for setting := range strings.SplitSeq(k.settings, ",") {
		if key, _, given := strings.Cut(setting, "="); given && !slices.Contains(own, key) {
			idle = append(idle, key)
		}
	}
	if idle == nil {
		return nil
	}
	return fmt.Errorf("rule check tries the file's own keys (%s): leave out %s, which train and study apply", strings.Join(own[1:], ", "), strings.Join(idle, ", "))
}

// compile makes the kernels for all that may be known of the curvature.
func (k *ruleCheck) compile() error {
	diagonals := []rulefile.Diagonal{rulefile.NoDiagonal}
	switch options := optim.CurvatureOf(k.rule); {
	case options.Kind != curvature.None:
		diagonals = []rulefile.Diagonal{rulefile.NonNegativeDiagonal, rulefile.AnyDiagonal}
	case k.rule.UsesCurvature():
		diagonals = append(diagonals, rulefile.NonNegativeDiagonal, rulefile.AnyDiagonal)
	}
	for _, h := range diagonals {
		t, err := k.rule.Trial(h)
		if err != nil {
			return fmt.Errorf("%s: %w", k.rule.Name(), err)
		}
		k.trials = append(k.trials, t)
	}
	k.lap("compile")
	return nil
}

// curvatureWords say what is known of h.
func curvatureWords(h rulefile.Diagonal) string {
	return map[rulefile.Diagonal]string{
		rulefile.NoDiagonal: "without a curvature", rulefile.NonNegativeDiagonal: "with a curvature that is nowhere negative", rulefile.AnyDiagonal: "with a curvature of either sign",
	}[h]
}

// passes prints what the kernels of a step read and write.
func (k *ruleCheck) passes(of *trial.Trial) error {
	traffic, err := of.Traffic()
	if err != nil {
		return err
	}
	p := of.Kernels.Program
	t := newTable(table.Row{"kernel", "reads", "writes", "bytes an element", "asked for in the emulator"})
	if p.Rule.Curvature != nil {
		t.SetTitle(curvatureWords(of.Diagonal))
	}
	asked := 0.0
	for _, kernel := range traffic {
		asked += kernel.Asked
	}
	for _, pass := range p.Passes {
		var reads, writes []string
		for _, r := range pass.Reads {
			reads = append(reads, r.Array)
		}
		for _, s := range pass.Stores {
			writes = append(writes, s.Array)
		}
		kernels := 1
		for _, r := range pass.Reductions {
			v := p.Values[r]
			writes = append(writes, v.Name+"."+v.Op.String())
			kernels = max(kernels, map[string]int{"tensor": 2, "all": 3}[v.Name])
		}
		for i, kernel := range traffic[:kernels] {
			row := table.Row{kernel.Entry, "", "", "", fmt.Sprintf("%.2f", kernel.Asked)}
			if i == 0 {
				row = table.Row{kernel.Entry, strings.Join(reads, " "), strings.Join(writes, " "), 4 * (len(pass.Reads) + len(pass.Stores)), fmt.Sprintf("%.2f", kernel.Asked)}
			}
			t.AppendRow(row)
		}
		traffic = traffic[kernels:]
	}
	t.AppendRow(table.Row{"a step; the floor is " + fmt.Sprint(p.Touch), "", "", p.Bytes, fmt.Sprintf("%.2f", asked)})
	fmt.Fprintf(k.w, "\n%s\n", t.Render())
	return nil
}

// quadraticSteps is how many steps down the quadratic are shown.
const quadraticSteps = 8

// descend prints a trajectory on a quadratic.
func (k *ruleCheck) descend() error {
	points, err := k.trials[0].Quadratic(k.rule.LR, quadraticSteps)
	if err != nil {
		return err
	}
	header := table.Row{"step", "sum of c (w-1)^2 / 2"}
	for _, c := range trial.Curvatures() {
		header = append(header, fmt.Sprintf("w, c=%g", c))
	}
	t := newTable(header)
	t.SetTitle(fmt.Sprintf("down a quadratic at lr=%g", k.rule.LR))
	for _, p := range points {
		row := table.Row{p.Step, fmt.Sprintf("%.5g", p.Loss)}
		for _, w := range p.W {
			row = append(row, fmt.Sprintf("%.5g", w))
		}
		t.AppendRow(row)
	}
	fmt.Fprintf(k.w, "\n%s\n", t.Render())
	if last := points[len(points)-1].Loss; math.IsNaN(last) || math.IsInf(last, 0) {
		fmt.Fprintln(k.w, "warning: the weights are not finite there")
	}
	k.lap("descend")
	return nil
}

// warn prints which numbers of the host are not finite, or too small for float32, in a run as long as the pilot's.
func (k *ruleCheck) warn() error {
	const epochs, stepsPerEpoch = 50, 782
	list, err := k.trials[0].Warnings(k.rule.LR, epochs*stepsPerEpoch, stepsPerEpoch)
	if err != nil {
		return err
	}
	for _, warning := range list {
		fmt.Fprintln(k.w, "warning:", warning)
	}
	k.lap("warn")
	return nil
}
