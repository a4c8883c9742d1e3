package train

import (
	"slices"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/devices"
	"diaghess/optim"
	"diaghess/train/record"
)

// Only training augments, whatever is evaluated.
func TestEvaluationDoesNotAugment(t *testing.T) {
	job := NewJob(DefaultSettings(), "digits", optim.NewAdamW(), 0)
	job.Model, job.Protocol, job.Augment = "mlp", record.ProtocolHoldout, AugmentFlip
	device, err := devices.Open(devices.Options{Name: "cpu", Threads: 1, Library: "gonum"})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	stream, err := device.NewStream()
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	set, err := MakeResident(stream, RandomSet(100, 50, 10))
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(stream, set, job)
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
