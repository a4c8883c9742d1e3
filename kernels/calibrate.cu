// Calibration of one estimate of the curvature by another: see calibrate.go.
#include "update.cuh"

constexpr int calibrateSums = 5;  // of a chunk

// Add is a + b, for blockReduce.
struct Add {
  __device__ __forceinline__ double operator()(double a, double b) const { return a + b; }
};

// calibrate_average: see CalibrateAverage. A block does a chunk.
//
//   g, r         [elements]
//   sum          [elements], or null: 0
//   drawn, swept [elements], updated
//   chunks       [blocks, 4], aligned to 16 bytes
//   partial      [blocks, 5], written
extern "C" __global__ void __launch_bounds__(threads)
calibrate_average(const float *__restrict__ g, const float *__restrict__ sum, const float *__restrict__ r, float *__restrict__ drawn,
                  float *__restrict__ swept, const uint32 *__restrict__ chunks, float *__restrict__ partial, float factor, float decay,
                  float oneMinusDecay) {
  const Chunk chunk = chunkOfBlock(chunks);
  g += chunk.offset, r += chunk.offset, drawn += chunk.offset, swept += chunk.offset;
  if (sum) sum += chunk.offset;
  double sums[calibrateSums] = {};
  forEachElement(chunk.n, aligned(g, sum, r, drawn, swept), [&](auto width, int i) {
    constexpr int N = width.value;
    auto gi = load<N>(g + i), ri = load<N>(r + i), d = load<N>(drawn + i), s = load<N>(swept + i);
    Pack<float, N> before = {};
    if (sum) before = load<N>(sum + i);
    for (int j = 0; j < N; j++) {
      float sample = factor * (gi.at[j] * gi.at[j]);
      if (sum) sample += before.at[j];
      d.at[j] = decay * d.at[j] + oneMinusDecay * sample;
      s.at[j] = decay * s.at[j] + oneMinusDecay * ri.at[j];
      const double dj = d.at[j], sj = s.at[j];
      sums[0] += dj;
      sums[1] += sj;
      sums[2] += dj * dj;
      sums[3] += dj * sj;
      sums[4] += sj * sj;
    }
    store(drawn + i, d);
    store(swept + i, s);
  });
  for (int i = 0; i < calibrateSums; i++) {
    const double total = blockReduce(sums[i], Add());
    if (threadIdx.x == 0) partial[calibrateSums * blockIdx.x + i] = total;
  }
}

// calibrate_weights: see CalibrateWeights. A block does a tensor.
//
//   partial     [chunks, 5]
//   first       [tensors + 1]: each tensor's first chunk
//   corrections [estimates]
//   draws       [estimates]
//   weights     [tensors, 2], written
extern "C" __global__ void __launch_bounds__(threads)
calibrate_weights(const float *__restrict__ partial, const uint32 *__restrict__ first, const float *__restrict__ corrections,
                  const float *__restrict__ draws, const uint32 *__restrict__ state, float *__restrict__ weights, uint32 every) {
  const uint32 end = first[blockIdx.x + 1];
  double sums[calibrateSums] = {};
  for (uint32 chunk = first[blockIdx.x] + threadIdx.x; chunk < end; chunk += threads) {
    for (int i = 0; i < calibrateSums; i++) sums[i] += partial[calibrateSums * chunk + i];
  }
  for (int i = 0; i < calibrateSums; i++) sums[i] = blockReduce(sums[i], Add());
  if (threadIdx.x != 0) return;
  const uint32 estimate = state[stateStep] / every;
  double ratio = 0, ofDrawn = 1;
  if (sums[1] != 0) {
    ratio = sums[0] / sums[1];
    const double apart = sums[2] - 2 * ratio * sums[3] + ratio * ratio * sums[4];
    const double noise = 2 * sums[2] / (draws[estimate] + 2);
    ofDrawn = noise < apart ? 1 - noise / apart : 0;
  }
  const double correction = corrections[estimate];
  weights[2 * blockIdx.x] = correction * ofDrawn;
  weights[2 * blockIdx.x + 1] = correction * (1 - ofDrawn) * ratio;
}

// calibrate_blend: see CalibrateBlend. A block does a chunk.
//
//   drawn, swept [elements]
//   diagonal     [elements], written
//   chunks       [blocks, 4], aligned to 16 bytes
//   weights      [tensors, 2]
extern "C" __global__ void __launch_bounds__(threads)
calibrate_blend(const float *__restrict__ drawn, const float *__restrict__ swept, float *__restrict__ diagonal,
                const uint32 *__restrict__ chunks, const float *__restrict__ weights) {
  const Chunk chunk = chunkOfBlock(chunks);
  const float ofDrawn = weights[2 * chunk.tensor], ofSwept = weights[2 * chunk.tensor + 1];
  drawn += chunk.offset, swept += chunk.offset, diagonal += chunk.offset;
  forEachElement(chunk.n, aligned(drawn, swept, diagonal), [&](auto width, int i) {
    constexpr int N = width.value;
    const auto d = load<N>(drawn + i), s = load<N>(swept + i);
    Pack<float, N> h;
    for (int j = 0; j < N; j++) h.at[j] = ofDrawn * d.at[j] + ofSwept * s.at[j];
    store(diagonal + i, h);
  });
}
