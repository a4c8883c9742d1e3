// Package blocks has the elementwise operations of rule files, each as a loop over a block of
// elements. The Go body of a rule calls one after the other for a block of Size elements, and
// then for the next block. So results that are needed again stay in the first cache. A block may
// have any number of elements.
//
// Results go to the first argument. Every operand is a number, or a block with at least as many
// elements. It may be the block of the results itself, but must not overlap it in another way.
//
// The arithmetic is that of the device in package rulefile. Results are bit-identical with vector
// instructions and without, on every processor. Where an operation computes a NaN, its sign and
// payload are open.
//
// A condition is an element whose bits are all ones where it holds, and all zeros where not.
//
// What does not belong here: which operations a rule has, memory, threads.
package blocks
