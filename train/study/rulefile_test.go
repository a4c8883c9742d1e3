package study

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"diaghess/optim"
	"diaghess/train/record"
)

const descent = `rule my "gradient descent"
key lr = 0.05 in (0, inf) log "learning rate"
w -= lr * g
`

// writeRule writes a rule file and returns the name that specs have for it.
func writeRule(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return "my@" + record.Digest([]byte(text))[:8]
}

// A study with a rule file records its text, goes on without the file, and does not go on with
// another text.
func TestRuleFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a,b.rule")
	name := writeRule(t, path, descent)
	list := "adamw,rule:" + path + ":lr=0.01"
	out := t.TempDir()
	study := func(rules []optim.Rule) *Study {
		s := smallStudy(out)
		s.Model, s.Epochs, s.Limit, s.Optimizers = "mlp", 1, 64, rules
		return s
	}
	s := study(rules(list))
	if got := strings.Join(s.Arms(), " "); got != "adamw "+name+":lr=0.01" {
		t.Errorf("the arms are %s", got)
	}
	before := runStudy(t, s)
	for _, job := range []record.Job{{Settings: s.Settings, Dataset: "digits", Optimizer: name + ":lr=0.01"}, {Settings: s.Settings, Dataset: "digits", Optimizer: "adamw"}} {
		config, there, err := record.RunOf(out, job).Config()
		want := ""
		if job.Optimizer != "adamw" {
			want = descent
		}
		if err != nil || !there || config.Rule != want {
			t.Errorf("%s: there %t, the record has the text %q, want %q, %v", job.Optimizer, there, config.Rule, want, err)
		}
	}
	if wrong := record.CheckStudy(os.DirFS(out), out); wrong != nil {
		t.Errorf("the study is wrong: %v", wrong)
	}

	// The file is gone; the records have its text.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	begun, err := record.BegunRuns(t.Context(), out)
	if err != nil {
		t.Fatal(err)
	}
	texts := optim.Texts{}
	for _, run := range begun {
		if of, _ := optim.Split(run.Optimizer); optim.IsReference(of) {
			texts[of] = run.Rule
		}
	}
	again, err := texts.ParseList("adamw," + name + ":lr=0.01")
	if err != nil {
		t.Fatal(err)
	}
	compareStudies(t, runStudy(t, study(again)), before)

	// Another text is another rule.
	changed := writeRule(t, path, descent+"# changed\n")
	err = study(rules(list)).Run(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "holds runs of the rule file "+name) || !strings.Contains(err.Error(), "the file is "+changed+" now") {
		t.Errorf("a changed file: %v", err)
	}
	both := study(append(again, rules("rule:"+path)...))
	if left, _, err := both.left(context.Background(), must(both.Jobs())); err != nil || len(left) != 2 {
		t.Errorf("two files of one name: %d runs left, %v", len(left), err)
	}

	// What a record says must fit.
	config := filepath.Join(record.RunOf(out, record.Job{Settings: s.Settings, Dataset: "digits", Optimizer: name + ":lr=0.01"}).Folder, "config.json")
	content, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	for old, c := range map[string]struct{ now, want string }{
		"gradient descent": {"descent", "with another digest: it was changed"},
		`"rule": "`:        {`"tuning_trials": 0, "rule": "`, ""},
	} {
		if err := os.WriteFile(config, []byte(strings.Replace(string(content), old, c.now, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		wrong := record.CheckStudy(os.DirFS(out), out)
		if (c.want == "") != (wrong == nil) || wrong != nil && !strings.Contains(wrong.Error(), c.want) {
			t.Errorf("%q in place of %q: %v, want %q", c.now, old, wrong, c.want)
		}
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
