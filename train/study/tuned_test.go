package study

import (
	"diaghess/train/record"
	"strings"
	"testing"
)

func TestUseRefusesASpecThatIsNone(t *testing.T) {
	tuned := &record.Tuned{Optimizers: []record.TunedOptimizer{{Optimizer: "adam", Best: "adam:lr=x"}}}
	if err := (&Study{}).Use(tuned); err == nil || !strings.Contains(err.Error(), "lr=x") {
		t.Errorf("a spec that is none: %v", err)
	}
}
