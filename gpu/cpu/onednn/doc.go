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
// goroutines or cores there were. With oneDNN's own threads the library cuts a filter gradient by the number of threads, and a
// training step is no faster: 95.6 ms against 94.7 ms for the convolutions below.
//
// Slices of 16 images are a good choice: where AVX-512 is, oneDNN 2.x takes Winograd's algorithm for more than 8 images only,
// and the time does not depend on the size otherwise (4 to 32 images: within 1.5 %).
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
// images, two goroutines, AMD Zen 3 with AVX2, smallest of 30 interleaved rounds), milliseconds of a training step, forward / data
// gradient / filter gradient:
//
//	2.6.3  NHWC                 31.9 / 29.0 / 36.7
//	2.6.3  blocked, reordered   30.2 / 27.0 / 37.5
//	3.2.0  NHWC                 28.1 / 28.6 / 40.0
//	3.2.0  blocked, reordered   35.7 / 29.2 / 39.7
//
// Filters are brought into the library's order once a step, not once a slice ([Convolution.Pack]), and the gradients of the
// slices are added before the sum is brought back ([Convolution.Unpack]): 1.0 ms of the step at 8 images a slice.
package onednn
