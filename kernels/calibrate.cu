// Calibration of one estimate of the curvature by another: see calibrate.go.
#include "update.cuh"

// Add is a + b, for blockReduce.
struct Add {
  __device__ __forceinline__ double operator()(double a, double b) const { return a + b; }
};

// calibrate_sums: see CalibrateSums. A block sums a chunk.
//
//   g, r    [elements]
//   chunks  [blocks, 4], aligned to 16 bytes
//   partial [blocks, 2], written
//
// Moves 8 bytes and takes 3 flops an element.
extern "C" __global__ void __launch_bounds__(threads)
calibrate_sums(const float *__restrict__ g, const float *__restrict__ r, const uint32 *__restrict__ chunks,
               float *__restrict__ partial, float factor) {
  const Chunk chunk = chunkOfBlock(chunks);
  g += chunk.offset, r += chunk.offset;
  double squares = 0, sum = 0;
  forEachElement(chunk.n, aligned(g, r), [&](auto width, int i) {
    constexpr int N = width.value;
    const auto gi = load<N>(g + i), ri = load<N>(r + i);
    for (int j = 0; j < N; j++) {
      squares += double(gi.at[j]) * gi.at[j];
      sum += ri.at[j];
    }
  });
  squares = blockReduce(squares, Add());
  sum = blockReduce(sum, Add());
  if (threadIdx.x != 0) return;
  partial[2 * blockIdx.x] = factor * float(squares);
  partial[2 * blockIdx.x + 1] = sum;
}

// calibrate_ratio: see CalibrateRatio. A block does a tensor.
//
//   partial [chunks, 2]
//   first   [tensors + 1]: each tensor's first chunk
//   average [tensors, 2], updated
//   ratio   [tensors], written
extern "C" __global__ void __launch_bounds__(threads)
calibrate_ratio(const float *__restrict__ partial, const uint32 *__restrict__ first, float *__restrict__ average,
                float *__restrict__ ratio, float decay, float oneMinusDecay) {
  const uint32 end = first[blockIdx.x + 1];
  double sums[2] = {};
  for (uint32 chunk = first[blockIdx.x] + threadIdx.x; chunk < end; chunk += threads) {
    sums[0] += partial[2 * chunk];
    sums[1] += partial[2 * chunk + 1];
  }
  for (int i = 0; i < 2; i++) sums[i] = blockReduce(sums[i], Add());
  if (threadIdx.x != 0) return;
  average += 2 * blockIdx.x;
  for (int i = 0; i < 2; i++) average[i] = decay * average[i] + oneMinusDecay * float(sums[i]);
  ratio[blockIdx.x] = average[1] != 0 ? average[0] / average[1] : 0;
}

// calibrate_apply: see CalibrateApply. A block scales a chunk.
//
//   r      [elements], updated
//   chunks [blocks, 4], aligned to 16 bytes
//   ratio  [tensors]
//
// Moves 8 bytes and takes a flop an element.
extern "C" __global__ void __launch_bounds__(threads)
calibrate_apply(float *__restrict__ r, const uint32 *__restrict__ chunks, const float *__restrict__ ratio) {
  const Chunk chunk = chunkOfBlock(chunks);
  const float factor = ratio[chunk.tensor];
  r += chunk.offset;
  forEachElement(chunk.n, aligned(r), [&](auto width, int i) {
    constexpr int N = width.value;
    auto v = load<N>(r + i);
    for (int j = 0; j < N; j++) v.at[j] *= factor;
    store(r + i, v);
  });
}
