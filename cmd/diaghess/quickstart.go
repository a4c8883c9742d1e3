package main

import (
	"context"
	_ "embed"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"diaghess/train/record"
	"diaghess/train/report"
	"diaghess/train/study"
)

// quickTuned is the tuning of the study of quickstart; docs/studies.md says how it was
// made.
//
//go:embed quickstart/tuned.json
var quickTuned []byte

// quickIntroduction is the first paragraph on the page of quickstart's study.
const quickIntroduction = "A small convolutional network, built as the pilot's is, trained on pictures of handwritten digits with three optimizers. " +
	"Each trains it from the same 20 seeds. Their settings are the best of equally many trials, from other seeds, on training pictures kept aside. " +
	"diaghess divides each parameter's step by a diagonal of the curvature. By default, as in the pilot, the squared gradient alone stands for it."

// quickStudy returns the study of quickstart. Its settings are those that its optimizers
// were tuned with.
func quickStudy() (*study.Study, error) {
	tuned, err := record.ParseTuned("quickstart/tuned.json", quickTuned)
	if err != nil {
		return nil, err
	}
	s := &study.Study{Settings: tuned.Settings, Datasets: []string{tuned.Dataset}, Device: tuned.Device}
	for seed := range 20 {
		s.Seeds = append(s.Seeds, seed)
	}
	return s, s.Use(tuned, false)
}

// quickstartCommand is `diaghess quickstart`, the first look. It trains the study that a
// function returns.
func quickstartCommand(makeStudy func() (*study.Study, error)) *cli.Command {
	return strict(&cli.Command{
		Name:  "quickstart",
		Usage: "make two pages in a minute: the pilot's published results, and a small new study",
		Description: "Needs no download. The study trains a small convolutional network on the built-in digits with adamw, sgd and\n" +
			"diaghess, 20 random seeds each. Each optimizer has the best settings of equally many trials.\n" +
			"The same command resumes an interrupted study.",
		Flags: []cli.Flag{
			outFlag("results/quick"),
			forceFlag(),
			&cli.IntFlag{Name: "seeds", Usage: "train from the first `N` of the 20 seeds, on a slow machine (default: all)"},
		},
		Action: func(c *cli.Context) error { return runQuickstart(c, makeStudy) },
	})
}

func runQuickstart(c *cli.Context, makeStudy func() (*study.Study, error)) error {
	if err := noArguments(c); err != nil {
		return err
	}
	out, err := filepath.Abs(c.String("out"))
	if err != nil {
		return err
	}
	if err := checkOut(out); err != nil {
		return err
	}
	pilot, err := report.Pilot()
	if err != nil {
		return err
	}
	pilotOut := filepath.Join(out, "pilot")
	if err := report.Replaceable(pilotOut); err != nil {
		return err
	}
	s, err := makeStudy()
	if err != nil {
		return err
	}
	if c.IsSet("seeds") {
		n := c.Int("seeds")
		if n < 1 || n > len(s.Seeds) {
			return fmt.Errorf("%d seeds: give 1 to %d", n, len(s.Seeds))
		}
		s.Seeds = s.Seeds[:n]
	}
	s.Out, s.Force = filepath.Join(out, "digits"), c.Bool("force")
	release, err := hold(c, s)
	if err != nil {
		return err
	}
	defer release()
	pilotPage, err := writePage(c.Context, pilotOut, pilot)
	if err != nil {
		return err
	}
	analysis, err := conduct(c, s)
	if err != nil {
		return err
	}
	analysis.Introduction = quickIntroduction
	page, err := writePage(c.Context, s.Out, analysis)
	if err != nil {
		return err
	}

	w := c.App.Writer
	fmt.Fprintf(w, "The pilot, from its published results:\n %s\n\n", strings.Join(pilot.Headlines(), "\n "))
	fmt.Fprint(w, "The study of digits:\n\n")
	if err := report.RenderAnswer(w, analysis); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nOpen in a browser (each page is one file, to be copied to where a browser is):\n %s\n %s\n\nThen run:\n %s\n", fileURL(pilotPage), fileURL(page), next())
	return err
}

// next is the command to run next: in the source's folder that of the Makefile.
func next() string {
	if _, err := os.Stat("Makefile"); err == nil {
		return "make study"
	}
	return os.Args[0] + " study --help"
}

// writePage writes a report into a folder and returns the path of its page.
func writePage(ctx context.Context, dir string, analysis *report.Analysis) (string, error) {
	if err := report.Replaceable(dir); err != nil {
		return "", err
	}
	if _, _, err := report.Write(ctx, dir, analysis, false); err != nil {
		return "", fmt.Errorf("%w: choose another folder with --out", err)
	}
	return filepath.Join(dir, "index.html"), nil
}

// fileURL is the address of a file, for a browser.
func fileURL(path string) string {
	return (&url.URL{Scheme: "file", Path: "/" + strings.TrimPrefix(filepath.ToSlash(path), "/")}).String()
}
