// The weights and statistics of an evaluation: see average.go for the formulas.
#include "common.cuh"

// weight_average: see WeightAverage. A block averages 4096 elements.
//
//   average [elements], updated
//   w       [elements]
//   shares  [steps]
extern "C" __global__ void __launch_bounds__(threads)
weight_average(float *__restrict__ average, const float *__restrict__ w, const float *__restrict__ shares,
               const uint32 *__restrict__ state, int32 elements) {
  const int first = blockIdx.x * elementsPerBlock;
  const float share = shares[state[stateStep]];
  average += first, w += first;
  forEachElement(min(elementsPerBlock, elements - first), aligned(average, w), [&](auto width, int i) {
    constexpr int N = width.value;
    auto a = load<N>(average + i);
    const auto wi = load<N>(w + i);
    for (int j = 0; j < N; j++) a.at[j] += (wi.at[j] - a.at[j]) * share;
    store(average + i, a);
  });
}

// copy_elements: see Copy. A block copies 4096 elements.
//
//   to   [elements], written
//   from [elements]
extern "C" __global__ void __launch_bounds__(threads)
copy_elements(float *__restrict__ to, const float *__restrict__ from, int32 elements) {
  const int first = blockIdx.x * elementsPerBlock;
  to += first, from += first;
  forEachElement(min(elementsPerBlock, elements - first), aligned(to, from), [&](auto width, int i) {
    constexpr int N = width.value;
    store(to + i, load<N>(from + i));
  });
}

// statistics_merge: see StatisticsMerge. A block merges 4096 channels.
//
//   batchMean, batchVariance [channels]
//   mean, variance           [channels], updated
extern "C" __global__ void __launch_bounds__(threads)
statistics_merge(const float *__restrict__ batchMean, const float *__restrict__ batchVariance, float *__restrict__ mean,
                 float *__restrict__ variance, const uint32 *__restrict__ state, uint32 samples, int32 channels) {
  const int first = blockIdx.x * elementsPerBlock;
  const float share = float(samples) / float(state[stateSample] + samples);
  const float between = share * (1 - share);
  batchMean += first, batchVariance += first, mean += first, variance += first;
  forEachElement(min(elementsPerBlock, channels - first), aligned(batchMean, batchVariance, mean, variance), [&](auto width, int i) {
    constexpr int N = width.value;
    auto m = load<N>(mean + i), v = load<N>(variance + i);
    const auto bm = load<N>(batchMean + i), bv = load<N>(batchVariance + i);
    for (int j = 0; j < N; j++) {
      const float d = bm.at[j] - m.at[j];
      v.at[j] += (bv.at[j] - v.at[j]) * share;
      v.at[j] += d * d * between;
      m.at[j] += d * share;
    }
    store(mean + i, m);
    store(variance + i, v);
  });
}
