package study

import (
	"diaghess/train/record"
	"strings"
	"testing"
)

func TestUseRefusesASpecThatIsNone(t *testing.T) {
	tuned := &record.Tuned{Optimizers: []record.TunedOptimizer{{Optimizer: "adam", Best: "adam:lr=x"}}}
	if err := (&Study{}).Use(tuned, true); err == nil || !strings.Contains(err.Error(), "lr=x") {
		t.Errorf("a spec that is none: %v", err)
	}
}

// A study is refused the tuning of another one, whatever it is that differs.
func TestUseRefusesATuningForAnotherStudy(t *testing.T) {
	settings := record.Settings{Model: "mlp", Epochs: 5, Batch: 64, Protocol: record.ProtocolHoldout, Augment: record.AugmentNone, Math: "fp32", Endpoint: record.EndpointLast, Average: record.AverageNone}
	tuned := &record.Tuned{Settings: settings, Dataset: "digits"}
	study := func() *Study { return &Study{Settings: settings, Datasets: []string{"digits"}} }
	if err := study().Use(tuned, false); err != nil {
		t.Errorf("the study that was tuned for: %v", err)
	}
	for want, change := range map[string]func(*Study){
		"model smallcnn, tuned with mlp":       func(s *Study) { s.Model = "smallcnn" },
		"epochs 6, tuned with 5":               func(s *Study) { s.Epochs = 6 },
		"batch 32, tuned with 64":              func(s *Study) { s.Batch = 32 },
		"protocol pilot, tuned with holdout":   func(s *Study) { s.Protocol = record.ProtocolPilot },
		"augment flip, tuned with none":        func(s *Study) { s.Augment = "flip" },
		"limit 500, tuned with 0":              func(s *Study) { s.Limit = 500 },
		"label smoothing 0.1, tuned with 0":    func(s *Study) { s.LabelSmoothing = 0.1 },
		"math tf32, tuned with fp32":           func(s *Study) { s.Math = "tf32" },
		"dataset mnist, tuned on digits":       func(s *Study) { s.Datasets = []string{"digits", "mnist"} },
		"batch 1, tuned with 64; limit 7, tun": func(s *Study) { s.Batch, s.Limit = 1, 7 },
	} {
		s := study()
		change(s)
		if err := s.Use(tuned, false); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--allow-other-tuning") {
			t.Errorf("want an error with %q, got %v", want, err)
		}
		if err := s.Use(tuned, true); err != nil || !strings.Contains(strings.Join(s.tuned.NotTunedFor, "; "), want) {
			t.Errorf("allowed: %v, recorded %q, want %q", err, s.tuned.NotTunedFor, want)
		}
	}
}
