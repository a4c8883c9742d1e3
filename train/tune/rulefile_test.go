package tune

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"diaghess/optim"
	"diaghess/train/record"
	"diaghess/train/study"
)

// A rule file is tuned within the ranges of its keys; the result has its text, from which a study
// takes the rule.
func TestRuleFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "my.rule")
	const text = `rule my "descent"
key lr = 0.01 in (0, 0.5] log "learning rate"
key weight_decay = 0 in [0, inf) log "decay"
w -= lr * (g + weight_decay * w)
`
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	name := "my@" + record.Digest([]byte(text))[:8]
	small := func() *Tuning {
		tuning := smallTuning(t.TempDir())
		tuning.Specs, tuning.Trials, tuning.Epochs, tuning.Limit = []string{"sgd", "rule:" + path + ":weight-decay=0.0"}, 2, 1, 64
		return tuning
	}
	tuning := small()
	tuned, content := runTuning(t, tuning)
	o := tuned.Optimizers[1]
	if want := []record.Dimension{{Key: "lr", Low: 1e-4, High: 0.5, Log: true}}; o.Optimizer != name+":weight-decay=0.0" || !slices.Equal(o.Space, want) {
		t.Errorf("%s is tuned over %v, want %s over %v", o.Optimizer, o.Space, name, want)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	read, err := record.ParseTuned("tuned.json", content)
	if err != nil {
		t.Fatal(err)
	}
	s := &study.Study{Settings: tuning.Settings, Datasets: []string{"digits"}, Seeds: []int{0}}
	if err := s.Use(read, false); err != nil {
		t.Fatal(err)
	}
	if got := optim.Spec(s.Optimizers[1]); got != o.Best || optim.Source(s.Optimizers[1]) != text {
		t.Errorf("the study has %s with the text %q, want %s", got, optim.Source(s.Optimizers[1]), o.Best)
	}
	damaged := strings.Replace(string(content), `(0, 0.5]`, `(0, 1]`, 1)
	if _, err := record.ParseTuned("tuned.json", []byte(damaged)); err == nil || !strings.Contains(err.Error(), "with another digest") {
		t.Errorf("a changed text: %v", err)
	}
	// The file of another tuning has another text.
	if err := os.WriteFile(path, []byte(text+"# changed\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	other := small()
	other.Out = tuning.Out
	if err := other.Validate(); err == nil || !strings.Contains(err.Error(), "is the result of another tuning") {
		t.Errorf("a changed file: %v", err)
	}
	// A space names it by the rule.
	for space, want := range map[string]string{"my": "", name: "", "lion": "lion is not among the optimizers to tune", "sgdd": "sgdd is not among the optimizers to tune: did you mean sgd?"} {
		tuning := small()
		tuning.Space = Space{space: {{Key: "lr", Low: 0.001, High: 0.1, Log: true}}}
		if space == name {
			tuning.Space = Space{"my@" + record.Digest([]byte(text + "# changed\n"))[:8]: tuning.Space[space]}
		}
		err := tuning.Validate()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("space of %s: %v, want %q", space, err, want)
		}
	}
}
