// Package train has runs and studies. A run trains one network with one optimizer from
// one random seed and leaves a record. A study trains datasets x seeds x optimizers, in
// pairs: for each seed every arm has the same initial weights, the same order of
// pictures and the same dropout masks.
//
// A record is a folder:
//
//	STUDY/DATASET/OPTIMIZER/seed-NN/
//	    config.json   all that results depend on: settings, versions, algorithms
//	    epochs.jsonl  a line for each epoch
//	    final.json    how the run ended; missing while the run is unfinished
//	    checkpoint    the state to resume from, while the run is unfinished
//
// Every file is written whole or not at all, so a run may be killed at any moment. The
// same command resumes it from the last checkpoint. The results are bit-identical to
// those of a run without interruption.
//
// What does not belong here: arithmetic, networks and update rules, which have their own
// packages; statistics and pages.
package train
