package main

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
)

// What auto stands for is one short line, and none before an error in other flags.
func TestDeviceLine(t *testing.T) {
	for _, c := range []struct {
		arguments string
		err       string // "" for none, and then a line
	}{
		{"bench --model mlp --batch 2 --repeats 1", ""},
		{"bench --optimizers nosuch", "nosuch"},
		{"bench --optimizers ,", "the value is empty"},
		{"bench --library nosuch --math fp32", "nosuch"},
		{"study --datasets nosuch", "nosuch"},
		{"study --epochs 0", "0 epochs"},
		{"train --optimizer nosuch", "nosuch"},
		{"tune --dataset nosuch", "nosuch"},
		{"tune --trials 0", "0 trials"},
		{"curvature --estimators nosuch", "nosuch"},
		{"gpu-check --only nosuch", "nosuch"},
	} {
		var said bytes.Buffer
		app := newApp()
		app.Writer, app.ErrWriter = &bytes.Buffer{}, &said
		arguments := append([]string{"diaghess"}, strings.Fields(c.arguments)...)
		if !strings.HasPrefix(c.arguments, "bench") && !strings.HasPrefix(c.arguments, "gpu-check") && !strings.HasPrefix(c.arguments, "curvature") {
			arguments = append(arguments, "--out", t.TempDir())
		}
		err := app.RunContext(t.Context(), arguments)
		line := said.String()
		switch {
		case c.err == "" && (err != nil || !strings.HasPrefix(line, "device ") || strings.Count(line, "\n") != 1 || len(line) > 81):
			t.Errorf("%s: error %v, and the line %q", c.arguments, err, line)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err) || line != ""):
			t.Errorf("%s: error %v, want one with %q and nothing before it but %q", c.arguments, err, c.err, line)
		}
	}
}

func TestShortened(t *testing.T) {
	const more = "... (more)"
	fits := strings.Repeat("1234 ", 15) + "12345"
	for text, want := range map[string]string{
		fits:                                     fits,
		fits + "6":                               strings.Repeat("1234 ", 13) + "1234" + more,
		"device cpu: " + strings.Repeat("x", 80): "device cpu" + more,
		"one\ntwo":                               "one",
	} {
		if got := shortened(text, more); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestSeeds(t *testing.T) {
	for list, want := range map[string][]int{
		"0-4,7": {0, 1, 2, 3, 4, 7}, " 3 , 1": {3, 1}, "2147483647": {math.MaxInt32}, "9223372036854775807": nil,
		"": nil, "5-1": nil, "-1": nil, "1-": nil, "0-1000000": nil, "1.5": nil,
	} {
		if got, err := seeds(list); !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q: %v, %v, want %v", list, got, err, want)
		}
	}
}
