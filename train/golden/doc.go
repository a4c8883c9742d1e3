// Package golden compares the networks and optimizers of this project with golden cases:
// inputs, and what another program made of them. [Set.Trajectories] are what a device
// computes; the tests run them on the cpu with every convolution library and on the
// emulator, and diaghess gpu-check runs them on a card, so package testing may not come
// in here.
//
// A set of cases is a folder with manifest.json and a .npz file for each case;
// testdata/README.md says where this one comes from. The tests take another of
// the same format from the environment variable DIAGHESS_GOLDEN: nothing about
// a case but its kind is known to them beforehand.
package golden
