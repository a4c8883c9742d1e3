package audit

import (
	"os"
	"path/filepath"
	"testing"

	"diaghess/optim"
	"diaghess/train/study"
)

// Runs with a rule file are repeated from the text in their records; also those of a rule that
// the program has, of which a later program may have another text.
func TestRuleFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "my.rule")
	const text = "rule my \"descent\"\nkey lr = 0.05 in (0, inf) log \"learning rate\"\nslot m = w\nm = 0.5 * m + 0.5 * w\nw -= lr * g\neval m\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s := smallStudy(t, func(s *study.Study) {
		var err error
		if s.Optimizers, err = optim.ParseList("lion,rule:" + path + ":lr=0.01"); err != nil {
			t.Fatal(err)
		}
		s.Epochs = 2
	})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	r := audit(t, Options{Study: s.Out, Runs: 4})
	if !r.Sound() || len(r.Repetitions) != 4 {
		t.Errorf("faults %v, repetitions %v", r.Faults, r.Repetitions)
	}
	for _, p := range r.Repetitions {
		if p.Outcome != Equal {
			t.Errorf("%v", p)
		}
	}
}
