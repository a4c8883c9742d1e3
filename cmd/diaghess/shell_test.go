package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"diaghess/train"
	"diaghess/train/record"
)

// parsed reads a shell's command back.
func parsed(t *testing.T, command string) []string {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no sh")
	}
	out, err := exec.Command("sh", "-c", "printf '%s\\0' "+command).Output()
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func TestShellCommand(t *testing.T) {
	words := []string{"a", "", "two words", "it's", `"`, `\`, "$HOME", "`id`", "*", "~", "a;b", "a\nb", "é", "#x", "@a/b.json", "x=1e-3,y=2"}
	if got := parsed(t, shellCommand(words...)); !slices.Equal(got, words) {
		t.Errorf("%q, want %q", got, words)
	}
	if got := shellCommand("study", "--out", "results/tune-study", "@a.json"); got != "study --out results/tune-study @a.json" {
		t.Errorf("plain words become %s", got)
	}
}

// The command for the study of a tuning's result has the settings of the tuning, also where
// defaults differ, and lies outside of its folder.
func TestTunedStudy(t *testing.T) {
	usual := train.DefaultSettings()
	usual.Protocol, usual.Endpoint = record.ProtocolHoldout, record.DefaultEndpoint(record.ProtocolHoldout)
	other := record.Settings{Model: "digitcnn", Epochs: 3, Batch: 32, Protocol: record.ProtocolHoldout, Augment: "flip", Limit: 500, LabelSmoothing: 0.1, Math: "tf32",
		Endpoint: record.EndpointBest, Average: "ema=0.9", Recalibrate: 64, EvaluateTrain: true}
	moving := other
	moving.Recalibrate = 0 // which --average would change
	last := usual
	last.Endpoint = record.EndpointLast
	for _, want := range []record.Settings{usual, other, moving, last} {
		const folder = "my results/it's a tuning"
		var words []string
		tune := tuneCommand()
		tune.Action = func(c *cli.Context) error {
			words = tunedStudy(c, &record.Tuned{Settings: want, Dataset: "digits"}, nil, folder+"/tuned.json")
			return nil
		}
		study := studyCommand()
		study.Action = func(c *cli.Context) error {
			s, err := studyOf(c, c.String("protocol"), nil)
			if s.Settings != want || s.Out != folder+"-study" || s.Data.Dir != "my data" || c.String("optimizers") != "@"+folder+"/tuned.json" || c.String("datasets") != "digits" {
				t.Errorf("%q is a study of %+v in %s, want %+v", words, s.Settings, s.Out, want)
			}
			return err
		}
		app := &cli.App{Commands: []*cli.Command{tune, study}}
		if err := app.Run([]string{"diaghess", "tune", "--data", "my data"}); err != nil {
			t.Fatal(err)
		}
		if err := app.Run(append([]string{"diaghess"}, parsed(t, shellCommand(words...))...)); err != nil {
			t.Fatal(err)
		}
	}
}
