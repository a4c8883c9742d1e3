package record

import (
	"strings"
	"testing"
)

// A run whose best epoch is not its last, with a tie in accuracy that the loss decides, and
// one that only the order does.
var endpointRun = []Epoch{
	{Epoch: 1, ValLoss: 4, ValAcc: 0.5, F1: 0.125},
	{Epoch: 2, ValLoss: 2, ValAcc: 0.75, F1: 0.25},
	{Epoch: 3, ValLoss: 1, ValAcc: 0.75, F1: 0.5},
	{Epoch: 4, ValLoss: 1, ValAcc: 0.75, F1: 0.625},
	{Epoch: 5, ValLoss: 0.5, ValAcc: 0.25, F1: 1},
	{Epoch: 6, ValLoss: 3, ValAcc: 0.5, F1: 0.25},
}

func TestEndpoints(t *testing.T) {
	for _, c := range []struct {
		endpoint Endpoint
		epochs   []Epoch
		want     Outcome
		words    string
	}{
		{"last", endpointRun, Outcome{3, 0.5, 0.25, 6}, "after the last epoch"},
		{"best-val", endpointRun, Outcome{1, 0.75, 0.5, 3}, "after the epoch of the best validation accuracy"},
		{"mean-last-1", endpointRun, Outcome{3, 0.5, 0.25, 0}, "after the last epoch"},
		{"mean-last-2", endpointRun, Outcome{1.75, 0.375, 0.625, 0}, "as the mean over the last 2 epochs"},
		{"mean-last-4", endpointRun, Outcome{1.375, 0.5625, 0.59375, 0}, "as the mean over the last 4 epochs"},
		{"mean-last-5", endpointRun[:2], Outcome{3, 0.625, 0.1875, 0}, "as the mean over the last 2 epochs"},
		{"mean-last-5", nil, Outcome{}, "after the last epoch"},
	} {
		if got := c.endpoint.Of(c.epochs); got != c.want {
			t.Errorf("%s of %d epochs is %+v, want %+v", c.endpoint, len(c.epochs), got, c.want)
		}
		if got := c.endpoint.Words(len(c.epochs)); got != c.words {
			t.Errorf("%s of %d epochs in words: %q, want %q", c.endpoint, len(c.epochs), got, c.words)
		}
	}
}

func TestWhatIsNoEndpointOrAverage(t *testing.T) {
	for _, text := range []string{"", "Last", "best", "mean-last", "mean-last-", "mean-last-0", "mean-last--1", "mean-last-05", "mean-last-1.5", "mean-last-99999999999999999999", " last"} {
		if err := Endpoint(text).Check(); err == nil {
			t.Errorf("endpoint %q is taken", text)
		}
	}
	for _, text := range []string{"", "ema", "ema=", "ema=0", "ema=1", "ema=-0.5", "ema=1.5", "ema=NaN", "ema=Inf", "ema=x", "swa", "EMA=0.5"} {
		if a, err := ParseAverage(text); err == nil || !strings.Contains(err.Error(), "ema=DECAY") {
			t.Errorf("average %q is %q, %v", text, a, err)
		}
	}
	for text, want := range map[string]Average{"none": "none", "ema=.9": "ema=0.9", "ema=9.99e-1": "ema=0.999"} {
		if a, err := ParseAverage(text); a != want || err != nil {
			t.Errorf("average %q is %q, %v, want %q", text, a, err, want)
		}
	}
}

// The end of a run is checked against its epochs by its endpoint.
func TestEndFollowsFromEpochsByEndpoint(t *testing.T) {
	for _, c := range []struct {
		endpoint Endpoint
		best     int
		acc      float64
	}{{EndpointLast, 0, 0.5}, {"mean-last-5", 0, 0.35}, {EndpointBest, 2, 0.5}} {
		folder := t.TempDir()
		config := configOf("adamw", 0)
		config.Endpoint = c.endpoint
		writeRun(t, folder, config)
		run := mustRead(t, folder)[0].Runs[0]
		if f := run.Final; f.Endpoint != c.endpoint || f.BestEpoch != c.best || f.ValAcc != c.acc {
			t.Errorf("%s: final %+v, want best epoch %d and accuracy %g", c.endpoint, f, c.best, c.acc)
		}
		final := run.Final
		final.ValAcc, final.ValLoss = 0.2, 0.5 // of the first epoch
		if err := (Run{folder + "/digits/adamw/seed-00"}).Finish(final, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(folder); err == nil || !strings.Contains(err.Error(), "has val_acc = 0.2, but by config.json and epochs.jsonl it is") {
			t.Errorf("%s: numbers of another epoch give %v", c.endpoint, err)
		}
	}
}

// A run that began with another endpoint, average or number of pictures is not gone on with.
func TestEndpointIsPartOfARun(t *testing.T) {
	folder := t.TempDir()
	config := configOf("adamw", 0)
	run := RunOf(folder, config.Job)
	mustClaim(t, run, config)
	for want, change := range map[string]func(*Config){
		`endpoint was "last" and is "mean-last-5"`: func(c *Config) { c.Endpoint = "mean-last-5" },
		`average was "none" and is "ema=0.9"`:      func(c *Config) { c.Average = "ema=0.9" },
		`recalibrate was 0 and is 64`:              func(c *Config) { c.Recalibrate = 64 },
	} {
		other := config
		change(&other)
		if _, err := run.Claim(other); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}
