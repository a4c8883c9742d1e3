// Package study is the main job: datasets x seeds x optimizers, paired. It decides which
// runs go side by side and with how many threads, keeps each run's record up to date, and
// goes on where a study was interrupted: the same command ends with the same results as one
// that was never interrupted.
//
// What does not come in: how a run is trained (package train), what is on disk (package
// record), and what the results mean (package report).
package study
