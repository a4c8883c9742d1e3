// Package data loads labelled picture sets into memory. It knows the sources of the
// official files, checks that a file is the official one, and decodes it.
//
// A set on disk is a folder NAME of the data folder. It holds the unpacked official
// files under their official names. For every source, the SHA-256 of a file decides:
// [Shelf.Fetch] stores no other content, and [Load] reads no other content.
//
// The table of all sets, hashes and sources is catalog.go. A new set is an entry there.
// If its files have a new format, its decoder is beside those of formats.go.
//
// What does not belong here: batches, shuffles and augmentation. They belong to the
// training loop.
package data
