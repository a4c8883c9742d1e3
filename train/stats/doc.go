// Package stats holds the statistics of a study: descriptions of samples, and
// tests and intervals for paired runs, in which x[i] and y[i] are the two arms'
// results with seed i.
//
//	Describe                          size, mean and standard deviation
//	PairedT, Wilcoxon, SignFlip       is there a difference?
//	PairedTResult.Interval, BCa       how large is it, in the metric's unit?
//	CohenDz                           how large is it, in standard deviations?
//	NonInferiority, Equivalence       is it smaller than a margin?
//	PitmanMorgan                      does one arm vary more?
//	Pairing                           what did pairing by seed buy?
//	Power, SmallestDifference         what could so many seeds have found?
//	Holm                              what is left of many p values?
//
// Differences are x − y throughout. The rules are the same everywhere:
//
//   - No test and no interval is computed from fewer than [MinPairs] pairs
//     ([ErrTooFewPairs]). Results from fewer than [ExploratoryBelow] pairs must be
//     called exploratory.
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
