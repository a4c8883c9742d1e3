package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"diaghess/train/record"
	"diaghess/train/study"
)

// The study is what its optimizers were tuned for, from equally many trials.
func TestQuickStudy(t *testing.T) {
	s, err := quickStudy()
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := s.Jobs()
	if err != nil || len(jobs) != 60 {
		t.Errorf("%d runs, %v; want 3 optimizers from 20 seeds", len(jobs), err)
	}
	if s.Protocol != record.ProtocolHoldout {
		t.Errorf("protocol %s", s.Protocol)
	}
}

// Both pages are there, and the same command again trains nothing: a run that was trained
// once more would have taken another time.
func TestQuickstart(t *testing.T) {
	out := filepath.Join(t.TempDir(), "new folder")
	t.Chdir(filepath.Join("..", "..")) // where the Makefile is
	small := func() (*study.Study, error) {
		s, err := quickStudy()
		if err == nil {
			s.Seeds, s.Epochs = []int{0, 1, 2}, 1
		}
		return s, err
	}
	app := &cli.App{Name: "diaghess", Writer: new(strings.Builder), ErrWriter: new(strings.Builder), Commands: []*cli.Command{quickstartCommand(small)}}
	err := app.RunContext(t.Context(), []string{"diaghess", "quickstart", "--out", out, "--seeds", "4"})
	if err == nil || !strings.Contains(err.Error(), "4 seeds: give 1 to 3") {
		t.Errorf("too many seeds: %v", err)
	}
	if exists(out) {
		t.Error("a refused command has left a folder")
	}
	var finals [2]string
	for i := range finals {
		var stdout strings.Builder
		app := &cli.App{Name: "diaghess", Writer: &stdout, ErrWriter: new(strings.Builder), Commands: []*cli.Command{quickstartCommand(small)}}
		if err := app.RunContext(t.Context(), []string{"diaghess", "quickstart", "--out", out}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(stdout.String(), "Too few seeds to say") || !strings.HasSuffix(stdout.String(), "new%20folder/digits/index.html\n\nThen run:\n make study\n") {
			t.Errorf("output\n%s", stdout.String())
		}
		for name, want := range map[string]string{"pilot": "Pilot&#39;s rule against AdamW on cifar10 and cifar100", "digits": "against adamw"} {
			if page, err := os.ReadFile(filepath.Join(out, name, "index.html")); err != nil || !bytes.Contains(page, []byte(want)) {
				t.Errorf("page of %s: %v, or without %q", name, err, want)
			}
		}
		paths, err := filepath.Glob(filepath.Join(out, "digits", "digits", "*", "*", "final.json"))
		if err != nil || len(paths) != 9 {
			t.Fatalf("runs %q, %v; want 9", paths, err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			finals[i] += string(content)
		}
	}
	if finals[0] != finals[1] {
		t.Error("the second command trained again")
	}
}
