//go:build cuda

package train

import (
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cuda"
	"diaghess/gpu/cuda/standin"
	"diaghess/kernels"
	"diaghess/optim"
	"diaghess/train/record"
)

// The first run of a device asks cuDNN how to compute each convolution. One beside it asks
// nothing, and makes a few allocations: one an arena, and one for the workspace. A run after
// them, on what they leave, allocates nothing, and no run that is closed frees anything: on a
// card that may wait for the work of all streams.
func TestStandInRunsShareWhatIsMadeOnce(t *testing.T) {
	const fewAllocations = 12
	m := standin.Start(t, standin.Options{})
	device, err := cuda.New(cuda.Options{Source: kernels.Module})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	rule, err := optim.Parse("diaghess")
	if err != nil {
		t.Fatal(err)
	}
	job := NewJob(DefaultSettings(), "", rule, 0)
	job.Model, job.Epochs, job.Batch = "pilotcnn", 2, 4
	err = gpu.WithStream(device, func(owner gpu.Stream) error {
		set, err := MakeResident(owner, RandomSet(18, 6, 10))
		if err != nil {
			return err
		}
		counted := 0
		calls := func() map[string]int { // since the last time
			n := map[string]int{}
			all := m.Calls()
			for _, call := range all[counted:] {
				n[call]++
			}
			counted = len(all)
			return n
		}
		make := func() (gpu.Stream, map[string]int) {
			calls()
			stream, err := device.NewStream()
			if err == nil {
				_, err = New(stream, set, job)
			}
			if err != nil {
				t.Fatal(err)
			}
			return stream, calls()
		}
		questions := func(n map[string]int) int {
			return n["cudnnGetConvolutionForwardAlgorithm_v7"] + n["cudnnGetConvolutionBackwardDataAlgorithm_v7"]
		}

		first, n := make()
		// 9 layers, in batches of 4 and of 2.
		if asked := questions(n); asked != 2*2*9 {
			t.Errorf("the first run asks %d times, want 36", asked)
		}
		second, n := make()
		if asked, made := questions(n), n["cuMemAlloc_v2"]; asked != 0 || made > fewAllocations || made == 0 || n["cudnnCreate"] != 1 {
			t.Errorf("a run beside it asks %d times and makes %d allocations and %d contexts, want 0, up to %d and 1", asked, made, n["cudnnCreate"], fewAllocations)
		}
		if err := first.Close(); err != nil {
			return err
		}
		if err := second.Close(); err != nil {
			return err
		}
		closing := calls()
		third, n := make()
		for _, call := range []string{"cuMemAlloc_v2", "cuMemHostAlloc", "cudnnCreate", "cuStreamCreate", "cuMemFree_v2"} {
			if n[call] != 0 || closing[call] != 0 {
				t.Errorf("%s: %d calls of a run after them, %d of closing, want none", call, n[call], closing[call])
			}
		}
		return third.Close()
	})
	if err != nil {
		t.Error(err)
	}
}

// The host drains a device's queue once in waitEvery steps, and at an epoch's end.
func TestStandInQueueIsSeldomDrained(t *testing.T) {
	const steps = 2*waitEvery + 1
	m := standin.Start(t, standin.Options{})
	device, err := cuda.New(cuda.Options{Source: kernels.Module})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	rule, err := optim.Parse("adamw")
	if err != nil {
		t.Fatal(err)
	}
	job := NewJob(DefaultSettings(), "", rule, 0)
	job.Model, job.Epochs, job.Batch = "mlp:layers=1,width=2", 1, 2
	err = gpu.WithStream(device, func(stream gpu.Stream) error {
		set, err := MakeResident(stream, RandomSet(2*steps, 2, 2))
		if err != nil {
			return err
		}
		r, err := New(stream, set, job)
		if err != nil {
			return err
		}
		r.stepParts = &record.StepParts{} // no step is timed, which waits, too
		waits := func() (n int) {
			for _, call := range m.Calls() {
				if call == "cuStreamSynchronize" {
					n++
				}
			}
			return n
		}
		before := waits()
		const begin = 2 // two uploads at an epoch's begin
		if err := r.Advance(t.Context(), steps); err != nil {
			return err
		}
		if got := waits() - before; got != begin+3 {
			t.Errorf("%d waits for %d steps, want %d at the begin and 3 for losses", got, steps, begin)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
