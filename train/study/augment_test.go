package study

import (
	"context"
	"diaghess/train"
	"diaghess/train/report"
	"errors"
	"strings"
	"testing"
)

// An augmented study trains on other pictures than a plain one, says so in its
// records, and gives the same bits however its work is shared out and wherever
// it is interrupted.
func TestAugmentedStudy(t *testing.T) {
	augmented := func() *Study {
		s := smallStudy(t.TempDir())
		s.Augment, s.Seeds = train.AugmentFlipCrop, []int{0}
		return s
	}
	one := augmented()
	one.Parallel, one.Threads = 1, 1
	want := runStudy(t, one)

	plain := smallStudy(t.TempDir())
	plain.Seeds = []int{0}
	const epochs = "digits/adamw/seed-00/epochs.jsonl"
	if runStudy(t, plain)[epochs] == want[epochs] {
		t.Error("epochs are the same with augmentation and without")
	}
	rows, err := report.ReadFolder(one.Out)
	if err != nil {
		t.Fatal(err)
	}
	if protocol := rows[0].Measured.String(); !strings.HasSuffix(protocol, "augmented by flip+crop") {
		t.Errorf("the table's protocol is %q", protocol)
	}
	plain.Augment = train.AugmentCrop
	if err := plain.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), `augment was "none" and is "crop"`) {
		t.Errorf("an augmented study in a plain one's folder: %v", err)
	}

	// An epoch has 23 steps: within the second one.
	stopped := augmented()
	stopped.Parallel, stopped.Threads = 1, 2
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := stopped.Run(ctx, &stopper{steps: 30, stop: cancel}); !errors.Is(err, ErrStopped) {
		t.Fatalf("an interrupted study returned %v", err)
	}
	compareStudies(t, runStudy(t, stopped), want)
}
