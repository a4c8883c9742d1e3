package main

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// fullDisk takes nothing.
type fullDisk struct{}

var errFull = errors.New("no space left on device")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// A command whose results could not be written has failed, whatever prints them.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	small := "--device cpu --datasets digits --model mlp --limit 65 --epochs 1 --seeds 0 --optimizers adamw,sgd --out " + filepath.Join(dir, "study")
	for _, arguments := range []string{
		"help", "--help", "--version", "study --help", "data list", "data list --json", "data verify digits", "data", "devices --list", "devices --list --json",
		"bench --device cpu --model mlp --batch 2 --repeats 1", "bench --json --device cpu --model mlp --batch 2 --repeats 1",
		"curvature --device cpu --model mlp --batch 8 --batches 1 --repeats 1 --estimators gnb",
		"gpu-check --device emu --only bandwidth --copy-mb 1 --block 1 --blocks 1 --out " + filepath.Join(dir, "check.json"),
		"study " + small, "report " + filepath.Join(dir, "study"), "report --format json " + filepath.Join(dir, "study"),
		"tune --device cpu --dataset digits --model mlp --limit 65 --epochs 1 --trials 1 --optimizers sgd --out " + filepath.Join(dir, "tune"),
	} {
		var stderr bytes.Buffer
		status := run(append([]string{"diaghess"}, strings.Fields(arguments)...), fullDisk{}, &stderr)
		if want := "diaghess: the output could not be written: no space left on device\n"; status != 1 || !strings.HasSuffix(stderr.String(), want) {
			t.Errorf("%s: status %d, and\n%s", arguments, status, stderr.String())
		}
		var stdout bytes.Buffer
		stderr.Reset()
		if status := run(append([]string{"diaghess"}, strings.Fields(arguments)...), &stdout, &stderr); status != 0 || stdout.Len() == 0 {
			t.Errorf("%s, on a disk with room: status %d\n%s", arguments, status, stderr.String())
		}
	}
}
