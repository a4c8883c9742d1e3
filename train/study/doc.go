// Package study is the main job: datasets x seeds x optimizers, paired. It decides which
// runs go side by side and with how many threads, and keeps each run's record up to date. A
// study that was interrupted goes on by the same command, and ends with the same results.
//
// What does not come in: how a run is trained (package train), what is on disk (package
// record), and what the results mean (package report).
package study
