package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"diaghess/train/data"
)

// runData runs `diaghess data` with arguments and returns what it prints.
func runData(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	app := &cli.App{Name: "diaghess", Commands: []*cli.Command{dataCommand()}, Writer: &out, ErrWriter: &out}
	err := app.RunContext(t.Context(), append([]string{"diaghess", "data"}, arguments...))
	return out.String(), err
}

func TestDataList(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mnist", "t10k-labels-idx1-ubyte")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o644); err != nil {
		t.Fatal(err)
	}
	text, err := runData(t, "list", "--data", dir, "--json")
	if err != nil {
		t.Fatal(err)
	}
	var sets []data.Status
	if err := json.Unmarshal([]byte(text), &sets); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	want := map[string]data.State{"cifar10": data.Absent, "mnist": data.Damaged, "digits": data.BuiltIn}
	for _, s := range sets {
		if state, ok := want[s.Name]; ok && s.State != state {
			t.Errorf("%s is %q instead of %q", s.Name, s.State, state)
		}
	}
	table, err := runData(t, "list", "--data", dir)
	if err != nil || strings.Count(table, "\n") != len(sets)+3 {
		t.Errorf("error %v, table\n%s", err, table)
	}
}

func TestDataFlagsMayFollowNames(t *testing.T) {
	dir := t.TempDir()
	_, err := runData(t, "fetch", "mnist", "--from", "/nonexistent", "--data="+dir)
	if err == nil || !strings.Contains(err.Error(), "/nonexistent") {
		t.Errorf("the error does not name the folder given after the dataset: %v", err)
	}
	for _, c := range []struct {
		arguments []string
		says      string
	}{
		{[]string{"fetch", "mnist", "--form", "x"}, "has no flag --form"},
		{[]string{"fetch", "mnist", "--from"}, "--from needs a value"},
		{[]string{"fetch"}, "name the datasets to fetch"},
		{[]string{"fetch", "minst"}, `no dataset "minst"`},
		{[]string{"verify", "mnist", "--data", dir}, "diaghess data fetch mnist"},
	} {
		if _, err := runData(t, c.arguments...); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("data %q: the error does not say %q: %v", c.arguments, c.says, err)
		}
	}
	if text, err := runData(t, "verify", "digits", "--data", dir); err != nil || !strings.Contains(text, "digits") {
		t.Errorf("verify digits: %q, %v", text, err)
	}
}

// What is built in needs no folder; what is not says that it lacks one.
func TestDataWithoutAHome(t *testing.T) {
	for _, variable := range []string{"HOME", "XDG_CACHE_HOME", "LocalAppData", "home", "DIAGHESS_DATA"} {
		t.Setenv(variable, "")
	}
	for _, arguments := range [][]string{{"list"}, {"list", "--json"}, {"verify"}, {"verify", "digits"}, {"fetch", "digits"}} {
		if text, err := runData(t, arguments...); err != nil {
			t.Errorf("data %q: %v\n%s", arguments, err, text)
		}
	}
	for _, command := range []string{"verify", "fetch"} {
		if _, err := runData(t, command, "mnist"); err == nil || !strings.Contains(err.Error(), "name one with --data DIR or DIAGHESS_DATA") {
			t.Errorf("data %s mnist: %v", command, err)
		}
	}
	if _, err := data.Load(t.Context(), "", "digits"); err != nil {
		t.Error(err)
	}
	if _, err := data.Load(t.Context(), "", "mnist"); err == nil || !strings.Contains(err.Error(), "name one with --data DIR") {
		t.Error(err)
	}
}
