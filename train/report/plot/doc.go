// Package plot draws the figures of a report, by gonum.org/v1/plot, as SVG for
// the inside of a page and as PNG.
//
// It knows numbers and names only. What they mean is decided by package report.
//
// Figures are honest by construction: a plot of differences includes zero, and
// curves start at zero. They tell arms apart by colour and by dashes, in colours
// that colour-blind readers can tell apart (see palette.go), have no background,
// and are wide enough for a phone without being scaled down.
package plot
