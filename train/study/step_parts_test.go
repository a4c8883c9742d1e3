package study

import (
	"bufio"
	"diaghess/optim"
	"diaghess/train/record"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// One step of every epoch is timed by part; the curvature's part is there for the arm
// that estimates it, though not at every step.
func TestStepParts(t *testing.T) {
	s := smallStudy(t.TempDir())
	s.Seeds, s.Optimizers = []int{0}, rules("adamw,diaghess:curvature=gnb,every=7")
	runStudy(t, s)
	for i, rule := range s.Optimizers {
		path := record.RunOf(s.Out, record.Job{Settings: s.Settings, Dataset: "digits", Optimizer: optim.Spec(rule)}).Folder + "/epochs.jsonl"
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			var e record.Epoch
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				t.Fatal(err)
			}
			p := e.Parts
			if p == nil || !(p.Forward > 0 && p.Backward > 0 && p.Update > 0 && p.Rest > 0) || (p.Curvature > 0) != (i == 1) {
				t.Fatalf("%s: epoch %d: parts %+v", filepath.Dir(path), e.Epoch, p)
			}
			if sum := p.Forward + p.Backward + p.Curvature + p.Update + p.Rest; sum > 1000*e.Seconds {
				t.Errorf("%s: epoch %d: a step of %g ms in an epoch of %g s", filepath.Dir(path), e.Epoch, sum, e.Seconds)
			}
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
	}
}
