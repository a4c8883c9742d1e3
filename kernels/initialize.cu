// Initial values: see initialize.go.
#include "philox.cuh"

// initialize: see Initialize. A block does a segment.
//
//   values   written where segments are
//   segments [blocks, 8]: offset in values, length, index of the first element in
//            its tensor (a multiple of 4), stream, bits of the constant, bits of the
//            limit
extern "C" __global__ void __launch_bounds__(threads)
initialize(float *__restrict__ values, const uint32 *__restrict__ segments, uint64 seed) {
  __shared__ uint32 segment[initialSegmentWords];
  if (threadIdx.x < initialSegmentWords) segment[threadIdx.x] = segments[blockIdx.x * initialSegmentWords + threadIdx.x];
  __syncthreads();
  values += segment[0];
  const int n = segment[1];
  const uint32 first = segment[2], stream = segment[3];
  const float constant = __uint_as_float(segment[4]), limit = __uint_as_float(segment[5]);
  const uint2 key = {uint32(seed), uint32(seed >> 32)};
  forEachElement(n, aligned(values), [&](auto width, int i) {
    constexpr int N = width.value;
    const uint4 words = philox({(first + i) / 4, 0, 0, stream}, key);
    Pack<float, N> to;
    for (int j = 0; j < N; j++) to.at[j] = constant + (2 * uniform(wordOf(words, (i + j) % 4)) - 1) * limit;
    store(values + i, to);
  });
}
