package study

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"diaghess/train"
	"diaghess/train/record"
	"diaghess/train/report"
)

// A study of the best epoch of averaged weights is bit-identical wherever it is interrupted: in an
// epoch, before its validation, before the test. What is measured is in its records and in the
// table's words.
func TestStudyOfAveragedWeights(t *testing.T) {
	averaged := func() *Study {
		s := smallStudy(t.TempDir())
		s.Model, s.Protocol, s.Limit, s.Seeds, s.Library = "digitcnn", record.ProtocolHoldout, 200, []int{0}, "" // 4 steps an epoch
		s.Endpoint, s.Average, s.Recalibrate, s.Parallel = record.EndpointBest, "ema=0.9", 64, 1
		return s
	}
	one := averaged()
	one.Threads = 1
	want := runStudy(t, one)
	for _, steps := range []int{2, 4, 8, 10, 12, 14} {
		stopped := averaged()
		stopped.Threads = 2
		ctx, cancel := context.WithCancel(t.Context())
		if err := stopped.Run(ctx, &stopper{steps: steps, stop: cancel}); !errors.Is(err, ErrStopped) {
			t.Fatalf("an interrupted study returned %v", err)
		}
		cancel()
		t.Run(fmt.Sprint(steps), func(t *testing.T) { compareStudies(t, runStudy(t, stopped), want) })
	}
	rows, err := report.ReadFolder(one.Out)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := rows[0].Measured.String(), "on the test set once, after the epoch of the best validation accuracy; with averaged weights, ema=0.9"; !strings.HasSuffix(got, want) {
		t.Errorf("the table says %q, want it to end with %q", got, want)
	}
	one.Recalibrate = 128
	if err := one.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "recalibrate was 64 and is 128") {
		t.Errorf("other statistics in the same folder: %v", err)
	}
}

// A mean over the last epochs is what the record and the table have of the validation pictures.
// The test set is measured once, with the last weights.
func TestStudyOfMeans(t *testing.T) {
	for _, c := range []struct{ protocol, words string }{
		{record.ProtocolPilot, "is the validation set too, as the mean over the last 2 epochs"},
		{record.ProtocolHoldout, "on the test set once, after the last epoch"},
	} {
		run := func(endpoint record.Endpoint) (*Study, record.Final, []record.Epoch) {
			s := smallStudy(t.TempDir())
			s.Protocol, s.Seeds, s.Optimizers, s.Endpoint = c.protocol, []int{0}, rules("adamw"), endpoint
			runStudy(t, s)
			_, epochs, final := readRun(t, s)
			return s, final, epochs
		}
		s, mean, epochs := run("mean-last-2")
		_, last, _ := run(record.EndpointLast)
		if want := (epochs[1].ValAcc + epochs[2].ValAcc) / 2; mean.ValAcc != want || mean.ValAcc == last.ValAcc || mean.Endpoint != "mean-last-2" {
			t.Errorf("%s: %+v, want accuracy %v, and not that of the last epoch, %v", c.protocol, mean, want, last.ValAcc)
		}
		if mean.Test != nil && *mean.Test != *last.Test {
			t.Errorf("test score %+v, want that of the last weights, %+v", mean.Test, last.Test)
		}
		rows, err := report.ReadFolder(s.Out)
		if err != nil {
			t.Fatal(err)
		}
		if got := rows[0].Measured.String(); !strings.HasSuffix(got, c.words) {
			t.Errorf("the table says %q, want it to end with %q", got, c.words)
		}
		if mean.Test == nil && rows[0].ValAcc != mean.ValAcc {
			t.Errorf("the table has accuracy %v, want %v", rows[0].ValAcc, mean.ValAcc)
		}
	}
}

// A study of the endpoint of its tuning is not another study, and one of another endpoint is.
func TestEndpointOfTuning(t *testing.T) {
	s := train.DefaultSettings()
	tuned := &record.Tuned{Settings: s, Dataset: "digits"}
	if differ := tuned.OtherStudy(s, []string{"digits"}); differ != nil {
		t.Errorf("the same settings differ in %v", differ)
	}
	s.Endpoint, s.Average, s.Recalibrate = "mean-last-5", "ema=0.9", 64
	if got, want := strings.Join(tuned.OtherStudy(s, []string{"digits"}), "; "), "average ema=0.9, tuned with none; endpoint mean-last-5, tuned with last; recalibrate 64, tuned with 0"; got != want {
		t.Errorf("other settings are %q, want %q", got, want)
	}
}
