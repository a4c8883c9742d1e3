package study

import (
	"bytes"
	"io"

	"diaghess/train"
	"diaghess/train/record"
)

// keeper keeps a run's record and, for an audit, some of its checkpoints. Training goes on while
// files are written, one after the other in the order of the calls. What a file is to hold is
// copied before a call returns.
type keeper struct {
	run             record.Claimed
	trainer         *train.Trainer
	extra, expected int // checkpoints to be kept, epochs of the run
	ledger          *record.Ledger

	tensors bytes.Buffer  // of the checkpoint that is being written
	last    chan struct{} // closed when all has been written; nil before the first call
	failed  error         // the first, of what wrote before last was closed
}

var _ train.Keeper = (*keeper)(nil)

// WriteCheckpoint keeps a checkpoint unless another process has taken over. It waits for what is
// still being written, so that a slow disk slows training down and costs no more memory.
func (k *keeper) WriteCheckpoint(p record.Position, tensors func(io.Writer) error) error {
	return k.checkpoint(p, tensors, k.run.WriteCheckpoint)
}

func (k *keeper) checkpoint(p record.Position, tensors func(io.Writer) error, write func(record.Position, func(io.Writer) error) error) error {
	if err := k.Flush(); err != nil {
		return err
	}
	k.tensors.Reset()
	if err := tensors(&k.tensors); err != nil {
		return err
	}
	return k.later(func() error {
		return write(p, func(file io.Writer) error {
			_, err := file.Write(k.tensors.Bytes())
			return err
		})
	})
}

// WriteEpochs also keeps a checkpoint after every so many epochs.
func (k *keeper) WriteEpochs(epochs []record.Epoch) error {
	if err := k.later(func() error { return k.run.WriteEpochs(epochs) }); err != nil || k.extra == 0 {
		return err
	}
	every := max(1, k.expected/(k.extra+1))
	if n := len(epochs); n%every > 0 || n/every > k.extra || n == k.expected {
		return nil
	}
	return k.checkpoint(k.trainer.Position, k.trainer.WriteTensors, k.run.Keep)
}

// later has a file written after all before it, unless one of those failed or another process has
// taken over. It returns the error of an earlier one, as soon as that is known.
func (k *keeper) later(write func() error) error {
	before, written := k.last, make(chan struct{})
	if before != nil {
		select {
		case <-before:
			if k.failed != nil {
				return k.failed
			}
		default:
		}
	}
	k.last = written
	go func() {
		defer close(written)
		if before != nil {
			<-before
		}
		if k.failed == nil {
			k.failed = k.ledger.Newest()
		}
		if k.failed == nil {
			k.failed = write()
		}
	}()
	return nil
}

// Flush returns when all is on the disk, or the first error.
func (k *keeper) Flush() error {
	if k.last != nil {
		<-k.last
	}
	return k.failed
}
