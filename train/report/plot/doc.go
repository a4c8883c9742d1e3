// Package plot makes the figures of a report, with gonum.org/v1/plot: SVG for a page,
// and PNG.
//
// Figures must not mislead: a plot of differences includes zero, and curves start at
// zero. Arms differ by dashes and by colours that colour-blind readers can distinguish
// (see palette.go). Figures have no background, and fit a phone without being scaled
// down.
//
// What does not belong here: the meaning of numbers and names. Package report decides
// it.
package plot
