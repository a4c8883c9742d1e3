package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"diaghess/optim/rulefile"
	"diaghess/train/record"
)

// rule list and show print what the program has; check says what a rule computes and moves.
func TestRuleCommand(t *testing.T) {
	if status, out, err := command(t, "rule", "list"); status != 0 || !strings.Contains(out, " lion          Lion: the sign of") || strings.Count(out, "\n") != len(rulefile.Builtin()) {
		t.Errorf("list: status %d, %s%s", status, out, err)
	}
	if status, out, err := command(t, "rule", "show", "lion"); status != 0 || out != rulefile.Source("lion") {
		t.Errorf("show: status %d, %s%s", status, out, err)
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "my.rule")
	const text = "rule my \"mine\"\nkey lr = 0.5 in (0, inf) log \"learning rate\"\nslot m\nm = 0.5 * m + g\nw -= lr / (t - 1) * m\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	made := filepath.Join(folder, "my.ptx")
	status, out, errors := command(t, "rule", "check", path+":lr=0.25", "--ptx", made)
	for _, want := range []string{
		"my@", ": mine\n", "  lr=0.25, learning rate\n", " rule_my                  w m g     w m                20", " a step; the floor is 20", "down a quadratic at lr=0.25\n",
		"warning: the weights are not finite there\n", "my.rule:5:6: the number is +Inf at step 1\n", "emulator: no fault in 3 steps on 14840 elements in 5 tensors", "\ntime: read ",
	} {
		if status != 0 || !strings.Contains(out, want) {
			t.Errorf("check: status %d, no %q in\n%s%s", status, want, out, errors)
		}
	}
	if ptx, err := os.ReadFile(made); err != nil || !strings.Contains(string(ptx), ".visible .entry rule_my(") {
		t.Errorf("the PTX is %s, %v", ptx, err)
	}
	write(t, made, "old")
	if status, _, errors := command(t, "rule", "check", path, "--ptx", made, "--force"); status != 0 {
		t.Errorf("check --force: status %d, %s", status, errors)
	}
	if ptx, err := os.ReadFile(made); err != nil || !strings.Contains(string(ptx), ".visible .entry rule_my(") {
		t.Errorf("with --force the PTX is %s, %v", ptx, err)
	}
	for line, want := range map[string]string{
		"rule check " + path + " --ptx " + made:                             "--ptx " + made + ": it exists",
		"rule check " + path + ":lr=-1":                                     "lr=-1: must be a number in (0, inf)",
		"rule check " + path + ":lr=0.1,clip=1,warmup=2,weight-decay=0.5":   "(lr): leave out clip, warmup, weight-decay, which train and study apply",
		"rule check ../../optim/testdata/heavyball.ptx:momentum=0.5,clip=2": "(lr, momentum): leave out clip,",
		"rule check adahessian:curvature=gnb,every=2":                       "leave out every, which train and study apply",
		"rule check nothing.rule":                                           "rule file nothing.rule: there is no such file",
		"rule check adamw":                                                  "adamw is no rule file",
		"rule check rule_test.go":                                           `unknown optimizer "rule_test.go": the name of a rule file ends in .rule`,
		"rule check lionn":                                                  `unknown optimizer "lionn": did you mean lion?`,
		"rule check":                                                        "name one file",
		"rule show adamw":                                                   "adamw is no rule file: it is written by hand",
		"rule show ../rules/lion":                                           `unknown rule "../rules/lion"`,
		"rule show lionn":                                                   `unknown rule "lionn": did you mean lion?`,
		"rule show":                                                         "name one rule",
		"rule list lion":                                                    "unexpected argument",
		"rule lst":                                                          `unknown command "lst": did you mean list?`,
		"rule check ../../optim/testdata/heavyball.rule":                    "there is no such file",
	} {
		if status, out, err := command(t, strings.Fields(line)...); status != 1 || !strings.Contains(err, want) {
			t.Errorf("%s: status %d, %s%s, want %q", line, status, out, err, want)
		}
	}
	if status, out, err := command(t, "rule", "check", "../../optim/testdata/heavyball.ptx"); status != 0 || !strings.Contains(out, "blocks and warps in another order give the same bits") {
		t.Errorf("check of a kernel: status %d, %s%s", status, out, err)
	}
}

// A run goes on without its rule file, by the name that its record has: where the record is.
func TestRuleWithoutFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "my.rule")
	const text = "rule my \"mine\"\nkey lr = 0.5 in (0, inf) log \"learning rate\"\nw -= lr * g\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	train := func(optimizer, out string) (int, string) {
		status, _, err := command(t, "train", "--dataset", "digits", "--model", "mlp", "--epochs", "1", "--limit", "64", "--device", "cpu", "--optimizer", optimizer, "--out", filepath.Join(folder, out))
		return status, err
	}
	if status, err := train("rule:"+path+":lr=0.25", "out"); status != 0 {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	name := "my@" + record.Digest([]byte(text))[:8]
	if status, err := train(name+":lr=0.25", "out"); status != 0 || !strings.Contains(err, name+"_lr=0.25") {
		t.Errorf("status %d, %s", status, err)
	}
	if status, err := train(name+":lr=0.25", "other"); status != 1 || !strings.Contains(err, "the text of this file is not known here: give the file, as in rule:my.rule") {
		t.Errorf("status %d, %s", status, err)
	}
}

// command runs the program with arguments.
func command(t *testing.T, arguments ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err strings.Builder
	status = run(append([]string{"diaghess"}, arguments...), &out, &err)
	return status, out.String(), err.String()
}
