package study

import (
	"diaghess/train"
	"diaghess/train/record"
)

// Observer is told how a study goes. Its methods are called from several
// goroutines at once.
type Observer interface {
	// Study is called when a study starts, of a tuning with each stage: the jobs,
	// and how many of them need nothing more.
	Study(jobs []record.Job, ended int)
	// Run is called when a run starts or goes on, with the steps that it has
	// done and those that it will have done at its end.
	Run(job record.Job, config record.Config, done, steps int) RunObserver
}

// RunObserver is told how a run goes. Its methods are called from one
// goroutine.
type RunObserver interface {
	train.Watcher
	// End is called when the run has ended, or has been interrupted: then with
	// a Final of no status.
	End(record.Final)
}

// Silent is an Observer that does nothing.
type Silent struct{ train.Silent }

func (Silent) Study([]record.Job, int)                             {}
func (Silent) Run(record.Job, record.Config, int, int) RunObserver { return Silent{} }
func (Silent) End(record.Final)                                    {}
