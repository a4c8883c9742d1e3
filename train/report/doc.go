// Package report turns the runs of a study into tables: it pairs the runs of
// two optimizers by seed, compares them metric by metric and renders the
// result.
//
// The way through it: rows come from result folders (package train) or from
// CSV files ([ReadCSVFile]); [Compare] makes an [Analysis] of them;
// [Analysis.Check] holds published summaries and tests against it; [Render]
// prints it and [WriteCSV] and [WriteMarkdown] put it in files.
//
// The statistics themselves are in package stats. Nothing here trains, and
// nothing here imports what trains.
package report
