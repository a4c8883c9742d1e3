// Package record is what is on disk: the one schema of each file, what writes it, what
// reads it, and what checks it.
//
// A study's folder holds
//
//	study.json                        the runs of its last command
//	plan.json                         what it was to be, if it was planned
//	tuned.json                        the tuning that its optimizers come from, if they were tuned
//	DATASET/OPTIMIZER/seed-NN/        a run:
//	    config.json                   all that its results depend on
//	    epochs.jsonl                  a line an epoch
//	    final.json                    how it ended; without it the run has not ended
//	    checkpoint                    where an unfinished run goes on
//
// Every file is written whole or not at all. [Read] reads such a folder, or a zip archive of
// it, for a report. A [Run] is one run's folder, which training writes.
//
// What does not come in: how a run is trained, what its numbers mean, and words for a
// reader. Only leaves of train are imported.
package record

// Schema is the version of the files. Those of version 0.1 of the program have none, and are
// read as they were meant.
const Schema = 1
