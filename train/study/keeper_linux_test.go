package study

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"diaghess/gpu"
	"diaghess/gpu/cpu"
	"diaghess/optim"
	"diaghess/train"
	"diaghess/train/data"
	"diaghess/train/record"
)

// written returns how many bytes the calling thread has written so far, to files or elsewhere.
func written(t *testing.T) (bytes int) {
	t.Helper()
	content, err := os.ReadFile("/proc/thread-self/io")
	if err != nil {
		t.Skip("the system does not count what a thread writes: ", err)
	}
	_, after, _ := strings.Cut(string(content), "wchar: ")
	if _, err := fmt.Sscan(after, &bytes); err != nil {
		t.Fatal(err)
	}
	return bytes
}

// newKeeper makes the keeper of a run in a folder.
func newKeeper(t *testing.T) *keeper {
	t.Helper()
	out := t.TempDir()
	settings := train.DefaultSettings()
	settings.Model = "mlp"
	job := train.NewJob(settings, "digits", optim.NewAdamW(), 0)
	device, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	var run record.Claimed
	err = gpu.WithStream(device, func(stream gpu.Stream) error {
		set, err := train.Load(t.Context(), data.Shelf{}, "digits")
		if err != nil {
			return err
		}
		resident, err := train.MakeResident(stream, set)
		if err != nil {
			return err
		}
		trainer, err := train.New(stream, resident, job)
		if err != nil {
			return err
		}
		config := trainer.Config()
		config.Build = train.ThisBuild()
		run, err = record.RunOf(out, job.Job).Claim(config)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	ledger, err := record.OpenLedger(out)
	if err == nil {
		err = ledger.Add(record.Event{Event: record.RunStarted, Run: "a run"})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ledger.Close() })
	return &keeper{run: run, ledger: ledger, expected: 3}
}

// The thread that trains writes no byte of a checkpoint or of the epochs. Flush waits for
// them, and a checkpoint has the tensors of its time.
func TestTrainingDoesNotWrite(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	k := newKeeper(t)
	tensors := bytes.Repeat([]byte("tensors "), 1<<17)
	was := bytes.Clone(tensors)
	before := written(t)
	epochs := []record.Epoch{{Epoch: 1, ValAcc: 0.5}, {Epoch: 2, ValAcc: 0.6}}
	for n := range epochs {
		position := record.Position{Epoch: n + 1, Step: 7, Epochs: epochs[:n+1]}
		err := errors.Join(k.WriteEpochs(position.Epochs), k.WriteCheckpoint(position, func(w io.Writer) error {
			_, err := w.Write(tensors)
			return err
		}))
		if err != nil {
			t.Fatal(err)
		}
	}
	clear(tensors) // training goes on
	err := k.Flush()
	if after := written(t); after != before || err != nil {
		t.Errorf("the thread that trains wrote %d bytes, error %v", after-before, err)
	}
	position, there, err := k.run.ReadCheckpoint(func(r io.Reader) error {
		got, err := io.ReadAll(r)
		if !bytes.Equal(got, was) {
			t.Error("the checkpoint has other tensors than it was given")
		}
		return err
	})
	if err != nil || !there || position.Epoch != 2 {
		t.Errorf("a checkpoint after %d epochs, want 2; error %v", position.Epoch, err)
	}
	if got, err := k.run.Epochs(); len(got) != 2 || err != nil {
		t.Errorf("%d epochs, want 2; error %v", len(got), err)
	}
	// What the same thread writes is counted.
	if err := k.run.WriteEpochs(epochs); err != nil || written(t) == before {
		t.Errorf("nothing was counted of epochs that this thread wrote; error %v", err)
	}
}

// Files are written in order, and a failure is the outcome of every later call.
func TestWritesFollowEachOther(t *testing.T) {
	k := newKeeper(t)
	full := errors.New("the disk is full")
	gate := make(chan struct{})
	var order []int
	for i := range 4 {
		err := k.later(func() error {
			<-gate
			order = append(order, i)
			if i == 2 {
				return full
			}
			return nil
		})
		if err != nil {
			t.Errorf("call %d: error %v", i, err)
		}
	}
	close(gate)
	if err := k.Flush(); err != full || fmt.Sprint(order) != "[0 1 2]" {
		t.Errorf("error %v, wrote %v; want the third one's error and nothing after it", err, order)
	}
	for name, err := range map[string]error{
		"epochs":     k.WriteEpochs(nil),
		"checkpoint": k.WriteCheckpoint(record.Position{}, func(io.Writer) error { return nil }),
	} {
		if err != full {
			t.Errorf("%s: error %v, want %v", name, err, full)
		}
	}
}
