// Package stats holds the statistics of a study: descriptions of samples, and
// tests and intervals for paired runs, in which x[i] and y[i] are the two arms'
// results with seed i.
//
// The verdict of a study goes by the test of one planned family; docs/statistics.md gives the reasons.
//
//	Family.Test                       is any rival better or worse, on any data set?
//	ByTuning, TwoWay, TestCrossed     the same where arms were tuned several times
//	PlanLooks, Family.TestAtLooks     the same with looks at which a study may stop
//	Failures, Spread                  does an arm fail more often, or vary more?
//	Detectable                        what could so many seeds have found?
//	InterquartileDifference           how much better over all data sets?
//	Improvement                       how often is a run of the rival better?
//
// Beside it stand tests and descriptions of one pair of arms:
//
//	Describe                          size, mean and standard deviation
//	PairedT, Wilcoxon                 is there a difference?
//	PairedTResult.Interval            how large is it, in the metric's unit?
//	HodgesLehmann                     how large is it, by ranks?
//	CohenDz                           how large is it, in standard deviations?
//	NonInferiority, Equivalence       is it smaller than a margin?
//	Pairing                           what did pairing by seed buy?
//	Holm                              what is left of many p values?
//
// Differences are x − y throughout. The rules are the same everywhere:
//
//   - No test and no interval is computed from fewer than [MinPairs] pairs
//     ([ErrTooFewPairs]), and no verdict from fewer than [VerdictFrom] units.
//   - A NaN, an infinity or an overflow is [ErrNotFinite]. Data for which a statistic is
//     not defined are an error too; each function says which. A returned number is
//     always valid.
//   - Two numbers that differ by no more than the rounding of decimals to float64 count
//     as equal.
//   - Random numbers are counter-based (package kernels): results are bit-identical for
//     the same data and the same seed.
//   - Samples of different length, levels outside (0, 1) and the like are mistakes of
//     the program, not of the data, and panic.
//
// What does not belong here: the meaning of numbers. Package report knows which metric
// they belong to and which direction is better.
package stats
