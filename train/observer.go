package train

import "diaghess/train/record"

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
	// Step is called after a step on so many pictures.
	Step(pictures int)
	// Epoch is called after an epoch's validation.
	Epoch(record.Epoch)
	// End is called when the run has ended, or has been interrupted: then with
	// a Final of no status.
	End(record.Final)
}

// silent is an Observer that does nothing.
type silent struct{}

func (silent) Study([]record.Job, int)                             {}
func (silent) Run(record.Job, record.Config, int, int) RunObserver { return silent{} }
func (silent) Step(int)                                            {}
func (silent) Epoch(record.Epoch)                                  {}
func (silent) End(record.Final)                                    {}
