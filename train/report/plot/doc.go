// Package plot makes the figures of a report as PNG files, with gonum.org/v1/plot. A page draws
// its own.
//
// Figures must not mislead: a plot of differences includes zero, and curves start at
// zero. Arms differ by dashes and by colours that colour-blind readers can distinguish
// (see palette.go).
//
// What does not belong here: the meaning of numbers and names. Package report decides
// it.
package plot
