// What the estimators of the curvature share: see curvature.go for the formulas.
#include "common.cuh"

// forEachElementOfBlock is forEachElement of this block's elements of n, with
// indices among all n.
template <class Body>
__device__ __forceinline__ void forEachElementOfBlock(int n, bool packs, Body body) {
  const int first = blockIdx.x * elementsPerBlock;
  forEachElement(min(elementsPerBlock, n - first), packs, [&](auto width, int i) { body(width, first + i); });
}

// sampleOf is a sample's part of an estimate.
__device__ __forceinline__ float sampleOf(float x, float factor, uint32 squared) { return factor * (squared ? x * x : x); }

// curvature_sum: see CurvatureSum.
//
//   x   [elements]
//   sum [elements], updated
extern "C" __global__ void __launch_bounds__(threads)
curvature_sum(const float *__restrict__ x, float *__restrict__ sum, int32 elements, uint32 first, uint32 squared, float factor) {
  forEachElementOfBlock(elements, aligned(x, sum), [&](auto width, int i) {
    constexpr int N = width.value;
    auto s = load<N>(x + i);
    Pack<float, N> before = {};
    if (!first) before = load<N>(sum + i);
    for (int j = 0; j < N; j++) {
      s.at[j] = sampleOf(s.at[j], factor, squared);
      if (!first) s.at[j] += before.at[j];
    }
    store(sum + i, s);
  });
}

// curvature_average: see CurvatureAverage.
//
//   x           [elements]
//   sum         [elements], or null: 0
//   average     [elements], updated, or null: no average
//   diagonal    [elements], written
//   corrections [estimates]
extern "C" __global__ void __launch_bounds__(threads)
curvature_average(const float *__restrict__ x, const float *__restrict__ sum, float *__restrict__ average,
                  float *__restrict__ diagonal, const float *__restrict__ corrections, const uint32 *__restrict__ state, int32 elements, uint32 every,
                  uint32 squared, float factor, float decay, float oneMinusDecay) {
  const float correction = average ? corrections[state[stateStep] / every] : 1;
  forEachElementOfBlock(elements, aligned(x, sum, average, diagonal), [&](auto width, int i) {
    constexpr int N = width.value;
    auto s = load<N>(x + i);
    for (int j = 0; j < N; j++) s.at[j] = sampleOf(s.at[j], factor, squared);
    if (sum) {
      const auto before = load<N>(sum + i);
      for (int j = 0; j < N; j++) s.at[j] += before.at[j];
    }
    if (average) {
      auto mean = load<N>(average + i);
      for (int j = 0; j < N; j++) {
        mean.at[j] = decay * mean.at[j] + oneMinusDecay * s.at[j];
        s.at[j] = mean.at[j] * correction;
      }
      store(average + i, mean);
    }
    store(diagonal + i, s);
  });
}

// square: see Square.
//
//   x   [elements]
//   out [elements], written
extern "C" __global__ void __launch_bounds__(threads)
square(const float *__restrict__ x, float *__restrict__ out, int32 elements) {
  forEachElementOfBlock(elements, aligned(x, out), [&](auto width, int i) {
    constexpr int N = width.value;
    auto s = load<N>(x + i);
    for (int j = 0; j < N; j++) s.at[j] *= s.at[j];
    store(out + i, s);
  });
}
