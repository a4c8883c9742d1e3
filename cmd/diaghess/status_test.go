package main

import (
	"strings"
	"testing"
	"time"

	"diaghess/train/record"
	"diaghess/train/status"
)

// The first line claims no more than is known.
func TestPrintStatus(t *testing.T) {
	left := 90.0
	for _, c := range []struct {
		study status.Study
		want  string
	}{
		{status.Study{Counts: status.Counts{Runs: 6, Ended: 6, Steps: 60, Done: 60}, Merged: true, MergedRuns: 6}, "6 of 6 runs ended, 100 % of the steps, merged\n"},
		{status.Study{Counts: status.Counts{Runs: 6, Ended: 6, Steps: 60, Done: 60}, MergedRuns: 4}, "6 of 6 runs ended, 100 % of the steps, 4 merged\n"},
		{status.Study{Counts: status.Counts{Runs: 6, Ended: 4, Steps: 60, Done: 40, Left: &left}}, "4 of 6 runs ended, 67 % of the steps, about 2 min left\n"},
		{status.Study{Counts: status.Counts{Runs: 4, Ended: 4, Steps: 40, Done: 40, Unsized: 1}, Shards: []status.Shard{{Name: "1/2", Counts: status.Counts{Unsized: 1}}}}, "4 of at least 4 runs ended\n"},
		{status.Study{Counts: status.Counts{Runs: 30, Ended: 30, Needless: 30, Steps: 60, Done: 60}}, "30 of 30 runs ended, 100 % of the steps, 30 more not needed: decided at a look\n"},
		{status.Study{Counts: status.Counts{Runs: 1}, Shards: []status.Shard{{Ledger: record.Problems{{Place: "s/ledger", Sentence: "lacks\x1b a run"}}}}}, "0 of 1 run ended\n"},
	} {
		var text strings.Builder
		c.study.Folder = "s"
		printStatus(&text, &c.study, time.Now())
		if first, rest, _ := strings.Cut(text.String(), "\n"); first+"\n" != "s: "+c.want {
			t.Errorf("%q, want %q", first, c.want)
		} else if c.study.Unsized > 0 && !strings.Contains(rest, " 0/? ") {
			t.Errorf("the size of a shard that has not begun:\n%s", rest)
		} else if strings.Contains(rest, "CAUTION: s/ledger lacks\uFFFD a run\n") != (c.study.Ended == 0) {
			t.Errorf("a fault of a ledger:\n%s", rest)
		}
	}
}
