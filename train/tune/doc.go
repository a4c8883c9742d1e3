// Package tune chooses the settings of optimizers, with an equal budget of trials for each. A
// trial is a study of its own, on training pictures kept aside.
//
// What does not come in: how trials are trained (package study) and how their result is kept
// (package record).
package tune
