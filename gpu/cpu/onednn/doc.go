// Package onednn runs convolutions and dense products on the CPU with Intel's oneDNN library (API 2.x and 3.x) through cgo.
//
// It is built with the tag onednn, where the library's headers are installed (Debian and Ubuntu: libdnnl-dev).
// A library elsewhere is named by CGO_CFLAGS=-I... and CGO_LDFLAGS="-L... -Wl,-rpath,...". Without the tag the package is empty.
//
// # Who cuts the work
//
// Every call runs on one thread, the caller's. A batch is cut by the caller into a fixed number of slices of whole images;
// several goroutines, each with a [Worker] of its own, take slices at the same time, and the filter gradients of the slices
// are added by the caller in a fixed order. So the bits of a result depend on the size of the slices, never on how many
// goroutines or cores there were. Left to itself the library cuts a filter gradient by the number of its threads, and is no
// faster: the last line of each block below.
//
// Slices of 16 images are a good choice. The time hardly depends on the size (8 and 16 images: within 1 %), but where AVX-512 is,
// oneDNN 2.x takes Winograd's algorithm for more than 8 images only. The goroutines should be locked to threads
// ([runtime.LockOSThread]): else a step takes 12 % longer (106 ms against 94 ms). If they take the next free slice, rather than every
// second one, they lose less when another process has one of the cores.
//
// # Which order of memory
//
// Activations come and go as NHWC, filters as HWIO. oneDNN's implementations differ in the order that they want inside; each pass
// of a convolution takes the faster of two, decided by the implementation's name and the number of channels alone, so that
// the decision is the same on every run:
//
//   - NHWC as it is, if the library has a blocked matrix product for it (brgconv, API 3), for the filter's gradient by any
//     generated code, and for an image with fewer than 8 channels;
//   - else what the library likes best (blocks of 8 or 16 channels), with a reorder of the activations of the slice into and
//     out of scratch memory that stays in the cache. Winograd's algorithm is only to be had so.
//
// Measured for the six 3x3 convolutions of a CIFAR network (3-32-32, 32-64-64, 64-128-128 channels at 32, 16, 8 pixels, 64
// images in slices of 16, two threads, AMD Zen 3 with AVX2), milliseconds of a training step, forward + data gradient + filter
// gradient, smallest of interleaved rounds:
//
//	2.6.3  NHWC                              31.6 + 29.3 + 36.2 = 97.1
//	2.6.3  reordered                         30.8 + 27.4 + 37.6 = 95.8
//	2.6.3  reordered, 64 images, 2 threads   31.5 + 28.5 + 38.0 = 98.1
//
//	3.2.0  NHWC                              25.7 + 25.1 + 36.3 = 87.1
//	3.2.0  reordered                         32.1 + 27.4 + 37.6 = 97.1
//	3.2.0  NHWC, 64 images, 2 threads        25.5 + 24.8 + 38.7 = 89.0
//
// The layer with three channels costs 1.6 ms of that as NHWC (forward and filter gradient) and 3 to 4 ms reordered; on AVX-512
// oneDNN 2.x has nothing but its reference loops for three channels as NHWC, so there they are reordered.
//
// These numbers bring the filter into the library's order in every slice (0.8 ms in all, 1.4 ms in slices of 8).
// [Convolution.Pack] does it once a step, and [Convolution.Unpack] after the gradients of the slices have been added: 0.4 ms.
package onednn
