// Hutchinson's estimator of the Hessian's diagonal: see hutchinson.go.
#include "philox.cuh"
#include "update.cuh"

// rademacher: see Rademacher. A block does a chunk.
//
//   z       all parameters, written
//   chunks  [chunks, 4]
extern "C" __global__ void __launch_bounds__(threads)
rademacher(float *__restrict__ z, const uint32 *__restrict__ chunks, const uint32 *__restrict__ state, uint64 seed,
           uint32 stream, uint32 draw) {
  const Chunk chunk = chunkOfBlock(chunks);
  const uint32 step = state[stateStep];
  float *const to = z + chunk.offset;
  forEachElement(chunk.n, aligned(to), [&](auto width, int at) {
    constexpr int N = width.value;
    const uint32 i = chunk.offset + at;  // a pack's signs are in one word
    const uint32 word = wordOf(philox({i / signsPerCall, draw, step, stream}, {uint32(seed), uint32(seed >> 32)}), i / 32 % 4);
    Pack<float, N> signs;
    for (int j = 0; j < N; j++) signs.at[j] = word >> ((i + j) % 32) & 1 ? -1 : 1;
    store(to + at, signs);
  });
}

// hutchinson_sample: see HutchinsonSample.
//
//   z, product  [elements]
//   sum         [elements], updated
extern "C" __global__ void __launch_bounds__(threads)
hutchinson_sample(const float *__restrict__ z, const float *__restrict__ product, float *__restrict__ sum, int32 elements,
                  uint32 first, uint32 absolute, float factor) {
  const int begin = blockIdx.x * elementsPerBlock;
  forEachElement(min(elementsPerBlock, elements - begin), aligned(z, product, sum), [&](auto width, int at) {
    constexpr int N = width.value;
    const int i = begin + at;
    const auto zi = load<N>(z + i), p = load<N>(product + i);
    Pack<float, N> s = {};
    if (!first) s = load<N>(sum + i);
    for (int j = 0; j < N; j++) {
      const float v = factor * zi.at[j] * p.at[j];
      s.at[j] = first ? v : v + s.at[j];
      if (absolute) s.at[j] = fabsf(s.at[j]);
    }
    store(sum + i, s);
  });
}

// tap_mean: see TapMean. A thread does a pair of channels, those side by side read
// memory side by side.
//
//   x [outer, taps, inner], updated
extern "C" __global__ void __launch_bounds__(threads)
tap_mean(float *__restrict__ x, int32 outer, int32 taps, int32 inner) {
  const int pair = blockIdx.x * threads + threadIdx.x;
  if (pair >= outer * inner) return;
  float *const at = x + uint64(pair / inner) * taps * inner + pair % inner;
  float sum = 0;
  for (int t = 0; t < taps; t++) sum += at[t * inner];
  const float mean = sum / taps;
  for (int t = 0; t < taps; t++) at[t * inner] = mean;
}
