package study

import (
	"diaghess/train"
	"diaghess/train/record"
)

// Observer is told how a study goes. Its methods are called from several
// goroutines at once.
type Observer interface {
	// Study is called when a study starts, of a tuning with each stage, and of a study with looks
	// after each of them.
	Study(Extent)
	// Look is called with what was decided at a look.
	Look(decided string)
	// Run is called when a run starts or goes on. It gets the steps that the run has done,
	// and those that it will have done at its end or where it is to pause.
	Run(job record.Job, config record.Config, done, steps int) RunObserver
	// Left is called when a device of the study cannot be used or has failed. What it had begun
	// goes on on the others.
	Left(device string, why error)
	// Stopping is called when the study is interrupted, before its runs stop.
	Stopping()
}

// Extent is what a study has to do.
type Extent struct {
	Jobs  []record.Job
	Ended int    // jobs that need nothing more
	Steps int    // of all jobs
	Done  int    // of the jobs that need nothing more
	Later int    // of the stages of a tuning that are still to come
	Plan  string // the plan's digest, see record.PlanDigest
}

// RunObserver is told how a run goes. Its methods are called from one
// goroutine.
type RunObserver interface {
	train.Watcher
	// End is called when the run has ended or paused.
	End(record.Final)
	// Stopped is called instead where the run was interrupted or failed. step is that of the
	// checkpoint on the disk, 0 for none. why is nil where the run was interrupted.
	Stopped(step int, why error)
}

// Silent is an Observer that does nothing.
type Silent struct{ train.Silent }

func (Silent) Study(Extent)                                        {}
func (Silent) Look(string)                                         {}
func (Silent) Run(record.Job, record.Config, int, int) RunObserver { return Silent{} }
func (Silent) Left(string, error)                                  {}
func (Silent) Stopping()                                           {}
func (Silent) End(record.Final)                                    {}
func (Silent) Stopped(int, error)                                  {}
