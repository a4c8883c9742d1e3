// Package golden compares the networks and optimizers of this project with golden cases:
// inputs, and what another program made of them. [Set.Trajectories] are what a device
// computes. The tests run them on the cpu with every convolution library and on the
// emulator, and diaghess gpu-check runs them on a card. So package testing may not come in
// here.
//
// A set of cases is a folder with manifest.json and a .npz file for each case;
// testdata/README.md says where this one comes from. The environment variable
// DIAGHESS_GOLDEN names another folder of the same format. The tests know only the kind
// of a case beforehand.
//
// The folder reference has trajectories of other optimizers than this project's rules, by
// their authors' programs: [Set.References] reads them.
//
// What does not belong here: results of this program.
package golden
