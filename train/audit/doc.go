// Package audit checks that a study is what it says: its files against each other and against
// the ledger, and sampled runs against what this program computes from the same seeds.
//
// What does not belong here: the checks of single files (package record), and statistics.
package audit
