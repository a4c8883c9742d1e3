package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// An argument h or help is that of the command, which here cannot do anything with it. It asks for
// help only where a command's name stands, and so do the flags everywhere.
func TestHelpIsNoArgument(t *testing.T) {
	t.Chdir(t.TempDir())
	var try func(commands []*cli.Command, path ...string)
	try = func(commands []*cli.Command, path ...string) {
		for _, command := range commands {
			if command.Name == "help" {
				continue
			}
			words := append(path[:len(path):len(path)], command.Name)
			group := len(command.Subcommands) > 0
			for _, last := range []string{"h", "help", "--help"} {
				stdout, _, err := runApp(t, append(words[:len(words):len(words)], last)...)
				helps := strings.HasPrefix(stdout, "NAME:\n   diaghess "+strings.Join(words, " ")+" - ")
				if want := group || last == "--help"; helps != want || want != (err == nil) {
					t.Errorf("%s %s: error %v, printed %.40q; help %v, want %v", strings.Join(words, " "), last, err, stdout, helps, want)
				}
			}
			stdout, _, err := runApp(t, append([]string{"help"}, command.Name)...)
			if len(path) == 0 && (err != nil || !strings.HasPrefix(stdout, "NAME:\n   diaghess "+command.Name+" - ")) {
				t.Errorf("help %s: error %v, printed %.40q", command.Name, err, stdout)
			}
			try(command.Subcommands, words...)
		}
	}
	try(newApp().Commands)
}

// Help that is asked for behind an argument is printed, and nothing else is done.
func TestHelpBehindArguments(t *testing.T) {
	want, _, err := runApp(t, "report", "--help")
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"--help", "-h"} {
		if got, _, err := runApp(t, "report", "nowhere", flag); !errors.Is(err, errHelped) || got != want {
			t.Errorf("report nowhere %s: %v, %.40q", flag, err, got)
		}
	}
}
