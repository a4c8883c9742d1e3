// Package stats holds the statistics of a study: descriptions of samples and
// tests on paired runs.
//
// It knows numbers only. What they mean, which metric they belong to and
// which direction is the good one is decided by package report.
package stats
