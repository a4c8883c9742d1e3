package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"diaghess/optim"
	"diaghess/train"
	"diaghess/train/record"
)

// shellCommand writes a command for a shell, with quotation marks where words need them.
func shellCommand(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		plain := func(r rune) bool {
			return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("@%_+=:,./-", r)
		}
		quoted[i] = word
		if word == "" || strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// operand is a path as an argument that is no flag.
func operand(path string) string {
	if strings.HasPrefix(path, "-") {
		return "./" + path
	}
	return path
}

// tunedStudy is the command, without the program, for a study of the result of tuning some
// optimizers, with the same settings, beside the tuning's folder.
func tunedStudy(c *cli.Context, tuned *record.Tuned, optimizers []optim.Rule, path string) []string {
	s, usual, dataset := tuned.Settings, train.DefaultSettings(), tuned.Dataset
	if strings.Contains(dataset, "@") { // a set of the user's own, by its file and options
		dataset = c.String("dataset")
	}
	words := []string{"study", "--optimizers", "@" + path, "--datasets", dataset, "--model", s.Model,
		"--epochs", fmt.Sprint(s.Epochs), "--batch", fmt.Sprint(s.Batch), "--protocol", s.Protocol}
	usual.Endpoint, usual.Recalibrate = record.DefaultEndpoint(s.Protocol), train.DefaultRecalibrate(s, optimizers)
	for _, f := range []struct {
		flag       string
		is, unless any
	}{
		{"--limit", s.Limit, usual.Limit}, {"--label-smoothing", s.LabelSmoothing, usual.LabelSmoothing},
		{"--augment", s.Augment, usual.Augment}, {"--math", s.Math, usual.Math}, {"--endpoint", s.Endpoint, usual.Endpoint},
		{"--average", s.Average, usual.Average}, {"--recalibrate", s.Recalibrate, usual.Recalibrate},
	} {
		if f.is != f.unless {
			words = append(words, f.flag, fmt.Sprint(f.is))
		}
	}
	if s.EvaluateTrain {
		words = append(words, "--evaluate-train")
	}
	for _, flag := range []string{"device", "library", "data", "split"} {
		if c.IsSet(flag) {
			words = append(words, "--"+flag, c.String(flag))
		}
	}
	folder := filepath.Dir(path)
	if base := filepath.Base(folder); base == "." || base == ".." {
		if whole, err := filepath.Abs(folder); err == nil {
			folder = whole
		}
	}
	return append(words, "--out", folder+"-study")
}
