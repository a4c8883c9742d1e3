// Package train is the run and the study. A run trains one network with one
// optimizer from one seed and leaves a record; a study walks datasets x seeds x
// optimizers, paired: for each seed every arm has the same initial weights, the
// same order of pictures and the same dropout masks.
//
// A record is a folder:
//
//	STUDY/DATASET/OPTIMIZER/seed-NN/
//	    config.json   all that decides the bits: settings, versions, algorithms
//	    epochs.jsonl  a line an epoch
//	    final.json    how the run ended; there is none while it is unfinished
//	    checkpoint    the state to go on from, while it is unfinished
//
// Every file is written whole or not at all, so a run may be killed at any
// moment. The same command goes on where the last checkpoint was and ends with
// the same bits as a run that was never interrupted.
package train
