// Package bench measures: a training step by kernel, the throughput of many runs at once,
// and a device's bandwidth. It times what package train does, on random pictures, and keeps
// nothing.
//
// What does not belong here: the accuracy of estimators (package curvature), and times of
// runs that count (a run's record has them).
package bench
