// Package golden reads golden cases: inputs, and the results of another program for
// them. Its tests compare the networks and optimizers of this project with those
// results, for every convolution library of the device cpu.
//
// A set of cases is a folder with manifest.json and a .npz file for each case;
// testdata/README.md says where this one comes from. The environment variable
// DIAGHESS_GOLDEN names another folder of the same format. The tests know only the kind
// of a case beforehand.
//
// What does not belong here: results of this program.
package golden
