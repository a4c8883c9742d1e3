//go:build cuda

package study

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"diaghess/gpu/cuda/standin"
	"diaghess/train/record"
)

// fleetStudy is 6 seeds of two short runs of a small network on all cards, two of them side by
// side on each.
func fleetStudy(out string) *Study {
	s := tinyStudy(out)
	s.Model = "mlp:layers=1,width=8"
	s.Batch, s.Limit, s.Seeds, s.Parallel = 32, 160, []int{0, 1, 2, 3, 4, 5}, 2
	return s
}

// ofKind is so many cards of one kind.
func ofKind(n int) standin.Options { return standin.Options{Cards: make([]standin.Card, n)} }

// leaving collects which devices a study leaves.
type leaving struct {
	Silent
	mutex sync.Mutex
	said  map[string]string
}

func (l *leaving) Left(device string, why error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.said[device] = why.Error()
}

// fleetRun runs a study on a machine and returns the error and which cards it left.
func fleetRun(t *testing.T, machine standin.Options, s *Study) (left map[string]string, err error) {
	t.Helper()
	l := &leaving{said: map[string]string{}}
	t.Run("run", func(t *testing.T) { // whose end looks for what is left over
		standin.Start(t, machine)
		err = s.Run(t.Context(), l)
	})
	return l.said, err
}

// madeBy counts the ended runs of a study by card. It looks into the ledger for what is wrong,
// and returns how often a run went on from a checkpoint.
func madeBy(t *testing.T, folder string) (runs map[string]int, resumed int) {
	t.Helper()
	begun, err := record.BegunRuns(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	runs = map[string]int{}
	for _, config := range begun {
		if _, ended, err := record.RunOf(folder, config.Job).Final(); err != nil {
			t.Error(err)
		} else if ended {
			runs[config.Device]++
		}
	}
	history, faults, _, err := record.CheckLedger(os.DirFS(folder), folder)
	if err != nil || faults != nil {
		t.Errorf("ledger: %v %v", faults, err)
	}
	for _, e := range history.Events {
		if e.Event == record.RunResumed {
			resumed++
		}
	}
	return runs, resumed
}

// results is the digest of a study's results.
func results(t *testing.T, folder string) string {
	t.Helper()
	digest, err := record.ResultsDigest(os.DirFS(folder), folder)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// TestStandInStudyOnFourCards spreads a study over four cards. In the middle of it one dies: it is
// left with the reason, and its runs go on from their checkpoints on the others, to the bits of a
// study on one card.
func TestStandInStudyOnFourCards(t *testing.T) {
	alone := fleetStudy(t.TempDir())
	alone.Device = "cuda:0"
	if _, err := fleetRun(t, ofKind(1), alone); err != nil {
		t.Fatal(err)
	}
	want := results(t, alone.Out)

	all := fleetStudy(t.TempDir())
	left, err := fleetRun(t, ofKind(4), all)
	runs, _ := madeBy(t, all.Out)
	if err != nil || len(left) > 0 || len(runs) != 4 || results(t, all.Out) != want {
		t.Errorf("four cards: runs %v, left %v, error %v", runs, left, err)
	}
	t.Log("four cards:", runs)

	// A run has 5 steps and, after each, a checkpoint. So after 8 launches on a card one of its two
	// runs has a checkpoint, whatever the order.
	for name, c := range map[string]struct {
		fault   standin.Fault
		reason  string
		resumes bool
	}{
		"an illegal address": {standin.Fault{Name: "cuGraphLaunch", Call: 12, Status: 700}, "error 700: an illegal memory access", true},
		"ECC":                {standin.Fault{Name: "cuGraphLaunch", Call: 8, Status: 214}, "error 214: uncorrectable ECC", true},
		"a time-out":         {standin.Fault{Name: "cuStreamSynchronize", Call: 40, Status: 702}, "error 702: the launch timed out", false},
		"lost":               {standin.Fault{Name: "cuMemcpyDtoHAsync_v2", Call: 12, Status: 999}, "error 999", false},
		"cuDNN":              {standin.Fault{Name: "cudnnCreate", Call: 2}, "cudnnCreate", false},
	} {
		t.Run(name, func(t *testing.T) {
			machine := ofKind(4)
			machine.Cards[2].Fault = c.fault
			s := fleetStudy(t.TempDir())
			s.checkpointEvery = 1 // after each step
			left, err := fleetRun(t, machine, s)
			if err != nil {
				t.Fatal(err)
			}
			if len(left) != 1 || !strings.Contains(left["cuda:2"], c.reason) {
				t.Errorf("left %v, want cuda:2 with %q", left, c.reason)
			}
			if results(t, s.Out) != want {
				t.Error("the results are not those of one card")
			}
			runs, resumed := madeBy(t, s.Out)
			if total := runs["cuda:0"] + runs["cuda:1"] + runs["cuda:2"] + runs["cuda:3"]; total != 12 {
				t.Errorf("%d runs ended, want 12", total)
			}
			if c.resumes && resumed == 0 {
				t.Error("no run went on from a checkpoint")
			}
			t.Logf("runs by card: %v; went on elsewhere: %d; left: %s", runs, resumed, left["cuda:2"])
		})
	}
}

// A card that cannot be opened is left, and so is one without room for a run.
func TestStandInStudyWithoutACard(t *testing.T) {
	for name, bad := range map[string]standin.Card{
		"exclusive":       {Fault: standin.Fault{Name: "cuDevicePrimaryCtxRetain", Call: 1, Status: 46}},
		"too old":         {Capability: [2]int{6, 1}},
		"no room":         {Memory: 1 << 16},
		"fails to answer": {Fault: standin.Fault{Name: "cuDeviceGetName", Call: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			s := fleetStudy(t.TempDir())
			s.Seeds, s.Parallel = s.Seeds[:2], 0
			left, err := fleetRun(t, standin.Options{Cards: []standin.Card{bad, {}, {}}}, s)
			runs, _ := madeBy(t, s.Out)
			if err != nil || len(left) != 1 || left["cuda:0"] == "" || runs["cuda:1"]+runs["cuda:2"] != 4 {
				t.Errorf("runs %v, left %v, error %v", runs, left, err)
			}
		})
	}
}

// A card with room for two runs side by side does fewer than one with room for all.
func TestStandInStudyBySpace(t *testing.T) {
	var most, two uint64
	for parallel, used := range map[int]*uint64{1: &most, 2: &two} {
		t.Run("alone", func(t *testing.T) {
			m := standin.Start(t, ofKind(1))
			s := fleetStudy(t.TempDir())
			s.Seeds, s.Parallel = s.Seeds[:1], parallel
			runStudy(t, s)
			_, *used = m.Used(0)
		})
	}
	machine := ofKind(2)
	machine.Cards[0].Memory = two + (two-most)/2
	s := fleetStudy(t.TempDir())
	s.Parallel = 0
	left, err := fleetRun(t, machine, s)
	runs, _ := madeBy(t, s.Out)
	if err != nil || len(left) > 0 || runs["cuda:0"] == 0 || runs["cuda:0"] >= runs["cuda:1"] {
		t.Errorf("runs %v, left %v, error %v", runs, left, err)
	}
	t.Log("runs by card:", runs)
}

// Where all cards fail the study ends with an error, and goes on by the same command.
func TestStandInStudyLosesAllCards(t *testing.T) {
	whole := fleetStudy(t.TempDir())
	if _, err := fleetRun(t, ofKind(2), whole); err != nil {
		t.Fatal(err)
	}
	machine := ofKind(3)
	for i := range machine.Cards {
		machine.Cards[i].Fault = standin.Fault{Name: "cuGraphLaunch", Call: 10 + 5*i, Status: 719}
	}
	s := fleetStudy(t.TempDir())
	left, err := fleetRun(t, machine, s)
	if err == nil || len(left) != 3 || !strings.Contains(err.Error(), "cuda:0, cuda:1, cuda:2 failed") || !strings.Contains(err.Error(), "the same command goes on") {
		t.Fatalf("left %v, error %v", left, err)
	}
	if _, err := fleetRun(t, ofKind(2), s); err != nil {
		t.Fatal(err)
	}
	if results(t, s.Out) != results(t, whole.Out) {
		t.Error("the results are not those of a study that was not disturbed")
	}
}

// pairsByKind fails where arms of a seed began on cards of two kinds, and returns the kinds and
// how many runs began on each.
func pairsByKind(t *testing.T, folder string) map[string]int {
	t.Helper()
	begun, err := record.BegunRuns(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	kinds, found := map[int]string{}, map[string]int{}
	for _, run := range begun {
		if other, ok := kinds[run.Seed]; ok && other != run.Card || run.Card == "" {
			t.Errorf("seed %d ran on %q and %q", run.Seed, run.Card, other)
		}
		kinds[run.Seed] = run.Card
		found[run.Card]++
	}
	return found
}

// The arms of a seed are trained on cards of one kind, also after an interruption.
func TestStandInStudyOnTwoKinds(t *testing.T) {
	const other = "Other, compute capability 9.0, 132 multiprocessors"
	machine := ofKind(4)
	machine.Cards[1].Name, machine.Cards[3].Name = "Other", "Other"
	s := fleetStudy(t.TempDir())
	if _, err := fleetRun(t, machine, s); err != nil {
		t.Fatal(err)
	}
	if kinds := pairsByKind(t, s.Out); len(kinds) != 2 || kinds[other] == 0 {
		t.Errorf("kinds %v, want both", kinds)
	}

	// Those of Other die: the runs of their seeds do not go on on the first kind.
	for _, i := range []int{1, 3} {
		machine.Cards[i].Fault = standin.Fault{Name: "cuGraphLaunch", Call: 8, Status: 700}
	}
	s = fleetStudy(t.TempDir())
	left, err := fleetRun(t, machine, s)
	if err == nil || len(left) != 2 || !strings.Contains(err.Error(), "another kind of card") || !strings.Contains(err.Error(), other) {
		t.Fatalf("left %v, error %v", left, err)
	}
	began := pairsByKind(t, s.Out)[other]
	if _, err := fleetRun(t, ofKind(1), s); err == nil || !strings.Contains(err.Error(), other) {
		t.Errorf("goes on on another kind: error %v", err)
	}
	if now := pairsByKind(t, s.Out)[other]; now != began {
		t.Errorf("%d runs on the kind that is gone, want %d as before", now, began)
	}
	machine.Cards[1].Fault, machine.Cards[3].Fault = standin.Fault{}, standin.Fault{}
	if _, err := fleetRun(t, machine, s); err != nil {
		t.Error(err)
	}
	pairsByKind(t, s.Out)
}

// A list names some of the cards, each once.
func TestStandInStudyOnAList(t *testing.T) {
	s := fleetStudy(t.TempDir())
	s.Seeds, s.Device = s.Seeds[:2], "cuda:0,cuda:2"
	if _, err := fleetRun(t, ofKind(3), s); err != nil {
		t.Fatal(err)
	}
	if runs, _ := madeBy(t, s.Out); runs["cuda:0"]+runs["cuda:2"] != 4 || len(runs) != 2 {
		t.Errorf("runs %v", runs)
	}
	for list, words := range map[string]string{"cuda:0,cuda:3": "shows 3 cards", "cuda:0,cuda:0": "different cards", "cuda:0,cpu": "different cards", "cuda,cuda:1": "different cards"} {
		s := fleetStudy(t.TempDir())
		s.Device = list
		if _, err := fleetRun(t, ofKind(3), s); err == nil || !strings.Contains(err.Error(), words) || errors.Is(err, ErrStopped) {
			t.Errorf("%s: error %v, want one with %q", list, err, words)
		}
	}
}
