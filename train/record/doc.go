// Package record is what is on disk: the one schema of each file, what writes it, what
// reads it, and what checks it.
//
// A study's folder holds
//
//	study.json                        the runs of its last command
//	plan.json                         what it is to be, written before its first run
//	tuned.json                        the tuning that its optimizers come from, if they were tuned
//	DATASET/OPTIMIZER/seed-NN/        a run:
//	    config.json                   all that its results depend on
//	    epochs.jsonl                  a line an epoch
//	    final.json                    how it ended; without it the run has not ended
//	    checkpoint                    where an unfinished run goes on
//	shard-I-of-N/                     a shard: such a folder with a part of the runs, see [Merge]
//
// OPTIMIZER is the spec, of a long one its start and a part of its SHA-256. Any of the folders
// may be a symbolic link. Every file is written whole or not at all. [Read] reads such a folder, or a zip archive of
// it, for a report. A [Run] is one run's folder, which training writes.
//
// The structs of the files are their schemas: tags say which fields may be missing and what
// each may be. What is read must also agree: the end of a run with its epochs and its config,
// all of them with the names of the folder, and runs with each other. [Problems] lists what
// does not, for a report as for a study that goes on.
//
// What does not come in: how a run is trained, what its numbers mean, and words for a
// reader. Only leaves of train are imported.
package record

// Schema is the version of the files. Those of version 0.1 of the program have none, and are
// read as they were meant. Those of schema 1 have no endpoint: it was the last epoch. Those
// below 3 have plans without a primary metric, those below 4 one loss with label smoothing. A checkpoint has a version of its own.
const Schema = 4
