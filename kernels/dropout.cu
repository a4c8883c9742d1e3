// Dropout masks: see dropout.go.
#include "philox.cuh"

// dropout_mask: see DropoutMask. A block draws the mask of a segment, a thread 16
// bytes of it from four calls of the generator.
//
//   mask     bytes, written: 1 keeps, 0 drops
//   segments [blocks, 8]: offset in mask, length, index of the first element in
//            its layer (a multiple of 16), stream, bits of the rate
//
// Moves a byte an element.
extern "C" __global__ void __launch_bounds__(threads)
dropout_mask(uint8 *__restrict__ mask, const uint32 *__restrict__ segments, const uint32 *__restrict__ state, uint64 seed) {
  constexpr int perThread = elementsPerBlock / threads;
  __shared__ uint32 segment[dropoutSegmentWords], step;
  if (threadIdx.x < dropoutSegmentWords) segment[threadIdx.x] = segments[blockIdx.x * dropoutSegmentWords + threadIdx.x];
  if (threadIdx.x == 0) step = state[stateStep];
  __syncthreads();
  mask += segment[0];
  const int n = segment[1];
  const uint32 index = segment[2], stream = segment[3];
  const float rate = __uint_as_float(segment[4]);
  // Uniform(word) >= rate is word >> 8 >= rate 2^24, and that product is exact.
  const uint32 threshold = ceilf(rate * (1 << 24));
  const int first = threadIdx.x * perThread;
  if (first >= n) return;

  Pack<uint8, perThread> keep;
  for (int i = 0; i < perThread; i += 4) {
    const uint4 words = philox({(index + first + i) / 4, 0, step, stream}, {uint32(seed), uint32(seed >> 32)});
    keep.at[i] = words.x >> 8 >= threshold;
    keep.at[i + 1] = words.y >> 8 >= threshold;
    keep.at[i + 2] = words.z >> 8 >= threshold;
    keep.at[i + 3] = words.w >> 8 >= threshold;
  }
  if (first + perThread <= n && reinterpret_cast<uint64>(mask) % perThread == 0) {
    store(mask + first, keep);
  } else {
    for (int i = 0; i < perThread; i++) {
      if (first + i < n) mask[first + i] = keep.at[i];
    }
  }
}
