package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"diaghess/nearest"
	"diaghess/nearest/keys"
)

// given is a flag that checks what is given for it: a value is not empty, a number is
// within its limits, and only lists may be given more than once.
type given struct {
	documented
	separator string // of the elements of a list, "" for what is none
	low, high int    // the limits of a whole number
	wrong     *error // where what is wrong with a value is kept for the command
}

// documented is what the cli package asks of a flag for the help text.
type documented interface {
	cli.DocGenerationFlag
	cli.VisibleFlag
	cli.CategorizableFlag
}

// list makes a flag one whose values add up where it is given more than once.
func list(f *cli.StringFlag) cli.Flag { return given{documented: f, separator: ","} }

// whole makes a flag for a whole number from low to high. A flag whose limits are those of
// a setting needs none here: who reads the setting says them.
func whole(f *cli.IntFlag, low, high int) cli.Flag { return given{documented: f, low: low, high: high} }

// strict has a command check what is given for its flags, and say in one line what is
// wrong. Commands that have nothing to keep end at once when they are interrupted.
func strict(command *cli.Command) *cli.Command {
	var wrong error
	for i, f := range command.Flags {
		g, ok := f.(given)
		if !ok {
			g = given{documented: f.(documented), low: math.MinInt, high: math.MaxInt}
		}
		g.wrong = &wrong
		command.Flags[i] = g
	}
	command.OnUsageError = func(c *cli.Context, err error, _ bool) error { return cmp.Or(wrong, usageError(c, err)) }
	// An argument h or help names a folder or a file, unless it stands where a command does.
	command.HideHelpCommand = len(command.Subcommands) == 0
	for _, sub := range command.Subcommands {
		strict(sub)
	}
	return command
}

// Apply adds the flag to a set, with a value that checks.
func (g given) Apply(set *flag.FlagSet) error {
	if err := g.documented.Apply(set); err != nil {
		return err
	}
	f := set.Lookup(g.Names()[0])
	f.Value = &checked{Value: f.Value, given: g}
	return nil
}

// checked is a flag's value, which is replaced by what is given, once.
type checked struct {
	flag.Value
	given given
	texts []string // that were given
}

// Get returns the value, of its own type.
func (c *checked) Get() any { return c.Value.(flag.Getter).Get() }

// IsBoolFlag says that the flag needs no value.
func (c *checked) IsBoolFlag() bool { return !c.given.TakesValue() }

// Set takes a value from the command line. It keeps its error: package flag adds words
// that are not for the user.
func (c *checked) Set(text string) error {
	err := c.set(text)
	*c.given.wrong = err
	return err
}

func (c *checked) set(text string) error {
	name := "--" + c.given.Names()[0]
	fail := func(format string, a ...any) error {
		return fmt.Errorf("%s %s: %s", name, shown(text), fmt.Sprintf(format, a...))
	}
	if strings.Trim(text, " \t\r\n,;") == "" {
		return fail("the value is empty: give one, or leave %s out", name)
	}
	repeated := len(c.texts) > 0
	c.texts = append(c.texts, text)
	if separator := c.given.separator; separator != "" {
		if repeated && slices.ContainsFunc(c.texts, func(t string) bool { return strings.HasPrefix(t, "@") }) {
			return fail("@FILE stands for the whole list: give %s once", name)
		}
		text = strings.Join(c.texts, separator)
	} else if repeated && c.IsBoolFlag() {
		return fmt.Errorf("%s is given twice: give it once", name)
	} else if repeated {
		return fail("it is given twice, with %s before: give it once", shown(c.texts[0]))
	}
	switch f := c.given.documented.(type) {
	case *cli.IntFlag:
		n, err := strconv.Atoi(text)
		switch {
		case errors.Is(err, strconv.ErrRange) && c.given.high == math.MaxInt:
			return fail("the number is too large")
		case err != nil && !errors.Is(err, strconv.ErrRange):
			return fail("give a whole number, such as %d", f.Value)
		case err != nil || n < c.given.low || n > c.given.high:
			return fail("give a whole number from %d to %d", c.given.low, c.given.high)
		}
		text = strconv.Itoa(n) // so that 010 is ten
	case *cli.Uint64Flag:
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return fail("give a whole number from 0 to %d", uint64(math.MaxUint64))
		}
		text = strconv.FormatUint(n, 10) // so that 010 is ten
	case *cli.Float64Flag:
		if v, err := keys.ParseNumber(text); err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return fail("give a number, such as 0.1")
		}
	case *cli.DurationFlag:
		if _, err := time.ParseDuration(text); err != nil {
			if _, err := strconv.ParseFloat(text, 64); err == nil {
				return fail("a unit is missing: give %ss for seconds, or ms, m, h", text)
			}
			return fail("give a time with its unit, such as %v", f.Value)
		}
	case *cli.BoolFlag:
		if _, err := strconv.ParseBool(text); err != nil {
			return fail("give true or false, or %s alone", name)
		}
	}
	return c.Value.Set(text)
}

// shown is a value as the user typed it, in quotation marks where that is not plain.
func shown(text string) string {
	if text == "" {
		return `""`
	}
	if quoted := strconv.Quote(text); strings.Contains(text, " ") || quoted != `"`+text+`"` {
		return quoted
	}
	return text
}

// usageError is what is wrong with a command line that package flag cannot read, in one
// line.
func usageError(c *cli.Context, err error) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		return noFlag(c.Command, "--"+name)
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return fmt.Errorf("--%s needs a value; see %s --help", name, c.Command.HelpName)
	}
	return fmt.Errorf("%s; see %s --help", text, c.Command.HelpName)
}

// noFlag says that a command has no flag of a name, and which it may have been.
func noFlag(command *cli.Command, argument string) error {
	name, _, _ := strings.Cut(strings.TrimLeft(argument, "-"), "=")
	var known []string
	for _, f := range command.Flags {
		known = append(known, f.Names()[0])
	}
	return fmt.Errorf("%s has no flag %s%s; see %s --help", command.HelpName, argument, nearest.Question(name, known, "--"), command.HelpName)
}

// noCommand is the action of what has commands: without one it prints the help, and one
// that it does not know is an error.
func noCommand(c *cli.Context) error {
	if c.NArg() == 0 {
		if c.Command.Name == c.App.Name {
			return cli.ShowAppHelp(c)
		}
		return cli.ShowSubcommandHelp(c)
	}
	var known []string
	for _, command := range c.Command.Subcommands {
		known = append(known, command.Name)
	}
	return fmt.Errorf("unknown command %q%s; see %s --help", c.Args().First(), nearest.Question(c.Args().First(), known, ""), c.Command.HelpName)
}
