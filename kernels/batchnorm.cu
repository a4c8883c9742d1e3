// Statistics and coefficients of batch normalization: see batchnorm.go for the
// formulas.
#include "epilogue.cuh"

// batchnorm_stats: see BatchNormStats. A block reduces a chunk of rows.
//
//   y       [rows, channels]
//   partial [chunks, 2, channels], written: mean and sum of squared deviations
extern "C" __global__ void __launch_bounds__(threads)
batchnorm_stats(const float *__restrict__ y, float *__restrict__ partial, int32 rows, int32 channels) {
  const Rows chunk = rowsOfBlock(rows, rowsPerChunk(channels));
  const float n = chunk.last - chunk.first;
  forEachColumn(chunk, channels, aligned(y, partial), [&](auto width, Column column) {
    constexpr int N = width.value;
    // Deviations are from the chunk's first row, so that sums do not cancel.
    Pack<float, N> shift[1];
    perChannel<N>(column, {y + uint64(chunk.first) * channels}, shift);
    Sums<N> sums = {};
#pragma unroll 4
    for (int row = column.first; row < column.last; row += column.groups) {
      const auto yi = load<N>(y + uint64(row) * channels + column.channel);
      for (int i = 0; i < N; i++) {
        const float d = yi.at[i] - shift[0].at[i];
        sums.first.at[i] += d;
        sums.second.at[i] += d * d;
      }
    }
    sumColumn(column, sums);
    if (column.group != 0 || !column.active) return;
    Pack<float, N> mean, squares;
    for (int i = 0; i < N; i++) {
      const float d = sums.first.at[i] / n;
      mean.at[i] = shift[0].at[i] + d;
      const float s = sums.second.at[i] - sums.first.at[i] * d;
      squares.at[i] = s < 0 ? 0 : s;
    }
    float *const out = partial + uint64(blockIdx.x) * 2 * channels + column.channel;
    store(out, mean);
    store(out + channels, squares);
  });
}

// batchnorm_finish: see BatchNormFinish. A block finishes 32 channels, a lane
// each, and its warps take turns at the chunks. Chunks are merged in double
// precision, in one pass, from their deviations from the first chunk's mean.
//
//   partial                     [chunks, 2, channels]
//   gamma                       [channels]
//   movingMean, movingVariance  [channels], updated
//   mean, invStd, scale         [channels], written
extern "C" __global__ void __launch_bounds__(threads)
batchnorm_finish(const float *__restrict__ partial, const float *__restrict__ gamma, float *__restrict__ movingMean,
                 float *__restrict__ movingVariance, float *__restrict__ mean, float *__restrict__ invStd,
                 float *__restrict__ scale, int32 rows, int32 channels, float epsilon, float momentum, float correction) {
  __shared__ float firstMean[warpLanes];
  __shared__ double sums[warpsPerBlock][warpLanes], squareSums[warpsPerBlock][warpLanes];
  const int warp = threadIdx.x / warpLanes, lane = threadIdx.x % warpLanes;
  const int c = blockIdx.x * channelsPerBlock + lane;
  const bool active = c < channels;
  if (warp == 0 && active) firstMean[lane] = partial[c];
  __syncthreads();
  const double shift = active ? firstMean[lane] : 0;

  double sum = 0, squares = 0;
  const int perChunk = rowsPerChunk(channels), chunks = active ? blocksOf(rows, perChunk) : 0;
#pragma unroll 4
  for (int chunk = warp; chunk < chunks; chunk += warpsPerBlock) {
    const float *const from = partial + uint64(chunk) * 2 * channels + c;
    const double n = min(perChunk, rows - chunk * perChunk);
    const double d = from[0] - shift;
    sum += n * d;
    squares += from[channels] + n * (d * d);
  }
  sum = sumWarps(sum, sums);
  squares = sumWarps(squares, squareSums);
  if (warp != 0 || !active) return;

  const double d = sum / rows;
  const float m = shift + d, variance = fmax(0.0, squares - sum * d) / rows;
  mean[c] = m;
  invStd[c] = inverseSqrt(variance + epsilon);
  scale[c] = gamma[c] * invStd[c];
  movingMean[c] = movingAverage(movingMean[c], m, momentum);
  movingVariance[c] = movingAverage(movingVariance[c], variance * correction, momentum);
}

// batchnorm_inference: see BatchNormInference.
//
//   movingMean, movingVariance, gamma  [channels]
//   mean, invStd, scale                [channels], written
extern "C" __global__ void __launch_bounds__(threads)
batchnorm_inference(const float *__restrict__ movingMean, const float *__restrict__ movingVariance,
                    const float *__restrict__ gamma, float *__restrict__ mean, float *__restrict__ invStd,
                    float *__restrict__ scale, int32 channels, float epsilon) {
  const int first = blockIdx.x * elementsPerBlock, last = min(first + elementsPerBlock, channels);
  for (int c = first + threadIdx.x; c < last; c += threads) {
    const float inverse = inverseSqrt(movingVariance[c] + epsilon);
    mean[c] = movingMean[c];
    invStd[c] = inverse;
    scale[c] = gamma[c] * inverse;
  }
}

// batchnorm_gradient: see BatchNormGradient. A block finishes 32 channels, a lane
// each, and its warps take turns at the chunks, in double precision.
//
//   partial        [chunks, 2, channels]
//   invStd, scale  [channels]
//   dGamma         [channels], written, or null: write dBeta alone
//   dBeta          [channels], written
//   slope, offset  [channels], written unless dGamma is null
extern "C" __global__ void __launch_bounds__(threads)
batchnorm_gradient(const float *__restrict__ partial, const float *__restrict__ invStd, const float *__restrict__ scale,
                   float *__restrict__ dGamma, float *__restrict__ dBeta, float *__restrict__ slope,
                   float *__restrict__ offset, int32 rows, int32 channels, int32 chunks) {
  __shared__ double sums[warpsPerBlock][warpLanes], moments[warpsPerBlock][warpLanes];
  const int warp = threadIdx.x / warpLanes, lane = threadIdx.x % warpLanes;
  const int c = blockIdx.x * channelsPerBlock + lane;
  const bool active = c < channels;
  double sum = 0, moment = 0;
  if (active) {
#pragma unroll 4
    for (int chunk = warp; chunk < chunks; chunk += warpsPerBlock) {
      const float *const from = partial + uint64(chunk) * 2 * channels + c;
      sum += from[0];
      if (dGamma) moment += from[channels];
    }
  }
  sum = sumWarps(sum, sums);
  moment = sumWarps(moment, moments);
  if (warp != 0 || !active) return;

  const float beta = sum;
  dBeta[c] = beta;
  if (!dGamma) return;
  const float gamma = float(moment) * invStd[c], perRow = -scale[c] / rows;
  dGamma[c] = gamma;
  slope[c] = perRow * invStd[c] * gamma;
  offset[c] = perRow * beta;
}
