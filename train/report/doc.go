// Package report turns the runs of a study into a report. It pairs the runs of two
// optimizers by seed, compares them metric by metric, and says what may be concluded. It
// renders the report as tables for a terminal, as Markdown, CSV and JSON, and as a page.
//
// The way through it:
//
//   - Rows come from result folders ([ReadFolder], by package record) or from CSV files
//     ([ReadCSVFile]).
//   - [Compare] makes an [Analysis] of them, with a verdict and [Evidence] for each comparison
//     (evidence.go, verdict.go) and what the records have beside the rows.
//   - [Analysis.Check] compares published summaries and tests with the analysis.
//   - [Render] prints it; [Write] writes files.
//   - [Export] writes rows for other programs, also those of a grid, which has no analysis.
//   - [Pilot] is the analysis of the pilot study, whose files are in the folder pilot.
//
// The contents are made once, as words, tables and plots (section.go, forest.go and the files
// section_*.go). render.go and html.go lay them out. The template and the style sheet of
// the page are in the folder page; package plot makes pictures as files.
//
// What does not belong here: statistics, which are in package stats, and training. The
// package imports nothing that trains.
package report
