// Package data brings labelled picture sets into memory: where their official
// files come from, that they are the official ones, and how they are read.
//
// A set on disk is a folder NAME of the data folder that holds the unpacked
// official files under their official names. Whatever source a file came from,
// its SHA-256 decides: Fetch puts no other content in place and Load reads no
// other content. The table of all sets, hashes and sources is catalog.go;
// a new set is an entry there, and a decoder beside those of formats.go if its
// files have a format of their own.
//
// What does not come in here: batches, shuffles and augmentation. They belong
// to the training loop.
package data
