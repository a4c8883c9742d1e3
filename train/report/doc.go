// Package report turns the runs of a study into a report: it pairs the runs of two
// optimizers by seed, compares them metric by metric, says what may be concluded and
// renders it, as tables for a terminal, as Markdown, CSV and JSON, and as a page.
//
// The way through it: rows come from result folders ([ReadFolder], by package record) or
// from CSV files ([ReadCSVFile]); [Compare] makes an [Analysis] of them, with the
// [Evidence] for each line and what the records hold besides; [Analysis.Check] compares
// published summaries and tests with it; [Render] prints it and [Write] and [WritePNG] put it in files. [Pilot]
// is the analysis of the pilot study, whose files are in the folder pilot.
//
// What a reader is told is made once, in words, tables and figures (section.go and
// the files section_*.go), and laid out by render.go and html.go. The template and
// the style sheet of the page are in the folder page, the figures are drawn by
// package plot.
//
// The statistics themselves are in package stats. Nothing here trains, and
// nothing here imports what trains.
package report
