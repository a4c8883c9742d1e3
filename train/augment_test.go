package train

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/devices"
)

// An augmented study trains on other pictures than a plain one, says so in its
// records, and gives the same bits however its work is shared out and wherever
// it is interrupted.
func TestAugmentedStudy(t *testing.T) {
	augmented := func() *Study {
		s := smallStudy(t.TempDir())
		s.Augment, s.Seeds = AugmentFlipCrop, []int{0}
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
	rows, err := ReadRows(one.Out)
	if err != nil {
		t.Fatal(err)
	}
	if protocol := rows[0].Protocol; !strings.HasSuffix(protocol, "augmented by flip+crop") {
		t.Errorf("the table's protocol is %q", protocol)
	}
	plain.Augment = AugmentCrop
	if err := plain.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), `augment was "none" and is "crop"`) {
		t.Errorf("an augmented study in a plain one's folder: %v", err)
	}

	// An epoch has 23 steps: within the second one.
	stopped := augmented()
	stopped.Parallel, stopped.Threads = 1, 2
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := stopped.Run(ctx, &stopper{steps: 30, stop: cancel}); !errors.Is(err, errStopped) {
		t.Fatalf("an interrupted study returned %v", err)
	}
	compareStudies(t, runStudy(t, stopped), want)
}

// Only training augments, whatever is evaluated.
func TestEvaluationDoesNotAugment(t *testing.T) {
	s := smallStudy(t.TempDir())
	s.Protocol, s.Augment = ProtocolHoldout, AugmentFlip
	device, err := devices.Open(devices.Options{Name: s.Device, Threads: 1, Library: s.Library})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	stream, err := device.NewStream()
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	set, err := makeResident(stream, drawnSet(100, 50, 10))
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := s.Jobs()
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRunner(stream, set, jobs[0], record{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		pass *pass
		want string
	}{{"training", r.training, "gather_augment"}, {"validation", r.validation, "gather"}, {"test", r.test, "gather"}} {
		for _, program := range []gpu.Program{c.pass.full.plain, c.pass.last.plain} {
			ops := program.Ops()
			if i := slices.IndexFunc(ops, func(op gpu.RecordedOp) bool { return op.Label == "gather" }); i < 0 || ops[i].Op.Entry() != c.want {
				t.Errorf("%s does not begin with %s", c.name, c.want)
			}
		}
	}
}
