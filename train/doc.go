// Package train trains one network with one optimizer from one random seed, in memory: a
// [record.Job] goes in, epochs and an outcome come out. All random numbers are pure functions
// of the seed, so that each optimizer of a pair has the same initial weights, the same
// order of pictures and the same dropout masks.
//
// A [Trainer] is the run. Package study keeps what it does on disk, goes on where a run was
// interrupted, and walks over datasets, seeds and optimizers; package tune chooses settings;
// package bench measures. What does not come in here: files, progress and other runs.
package train
