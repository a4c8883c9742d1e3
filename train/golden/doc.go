// Package golden reads golden cases: inputs, and what another program made of
// them. Its tests hold the networks and optimizers of this project against
// them, on every convolution library of the cpu device.
//
// A set of cases is a folder with manifest.json and a .npz file for each case;
// testdata/README.md says where this one comes from. The tests take another of
// the same format from the environment variable DIAGHESS_GOLDEN: nothing about
// a case but its kind is known to them beforehand.
package golden
