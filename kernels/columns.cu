// The epilogue of a dense layer with few rows, whole columns at a time: see
// columns.go for the formulas.
//
// A block does 32 channels, a lane each; its warps take turns at the rows, and a
// thread keeps what it has read of them in registers.
#include "epilogue.cuh"

constexpr int rowsPerWarp = columnRows / warpsPerBlock;

// forEachRow calls body(i, row) for this warp's rows; i counts them.
template <class Body>
__device__ __forceinline__ void forEachRow(int rows, Body body) {
  const int warp = threadIdx.x / warpLanes;
#pragma unroll
  for (int i = 0; i < rowsPerWarp; i++) {
    const int row = warp + i * warpsPerBlock;
    if (row < rows) body(i, row);
  }
}

// sumColumns gives every warp, for each lane, the sum over all warps.
__device__ __forceinline__ double sumColumns(double value, double (&shared)[warpsPerBlock][warpLanes]) {
  const int warp = threadIdx.x / warpLanes, lane = threadIdx.x % warpLanes;
  shared[warp][lane] = value;
  __syncthreads();
  value = shared[0][lane];
  for (int other = 1; other < warpsPerBlock; other++) value += shared[other][lane];
  __syncthreads();  // shared may be used again
  return value;
}

// columns_forward: see ColumnsForward.
//
//   y                           [rows, channels]
//   gamma, beta                 [channels]
//   mask                        [rows, channels], or null: keep all
//   movingMean, movingVariance  [channels], updated
//   mean, invStd, scale         [channels], written
//   a                           [rows, channels], written
extern "C" __global__ void __launch_bounds__(threads)
columns_forward(const float *__restrict__ y, const float *__restrict__ gamma, const float *__restrict__ beta,
                const uint8 *__restrict__ mask, float *__restrict__ movingMean, float *__restrict__ movingVariance,
                float *__restrict__ mean, float *__restrict__ invStd, float *__restrict__ scale, float *__restrict__ a,
                int32 rows, int32 channels, float epsilon, float momentum, float correction, float slope, float keep) {
  __shared__ double shared[warpsPerBlock][warpLanes];
  const int c = blockIdx.x * channelsPerBlock + threadIdx.x % warpLanes;
  const bool active = c < channels;
  float yi[rowsPerWarp] = {};
  double sum = 0, squares = 0;
  forEachRow(active ? rows : 0, [&](int i, int row) {
    yi[i] = y[row * channels + c];
    sum += yi[i];
  });
  const double exactMean = sumColumns(sum, shared) / rows;
  forEachRow(active ? rows : 0, [&](int i, int row) {
    const double d = yi[i] - exactMean;
    squares += d * d;
  });
  const float variance = sumColumns(squares, shared) / rows, m = exactMean;
  if (!active) return;

  const float inverse = inverseSqrt(variance + epsilon), s = gamma[c] * inverse, b = beta[c];
  if (threadIdx.x < warpLanes) {
    mean[c] = m;
    invStd[c] = inverse;
    scale[c] = s;
    movingMean[c] = movingAverage(movingMean[c], m, momentum);
    movingVariance[c] = movingAverage(movingVariance[c], variance * correction, momentum);
  }
  forEachRow(rows, [&](int i, int row) {
    const int at = row * channels + c;
    const float z = normalized(yi[i] - m, s, b);
    float ai = z * derivative(z, slope);
    if (mask) ai *= dropped(mask[at], keep);
    a[at] = ai;
  });
}

// columns_backward: see ColumnsBackward.
//
//   dA, y                      [rows, channels]
//   mean, invStd, scale, beta  [channels]
//   mask                       [rows, channels], or null
//   dGamma                     [channels], written, or null: a bias alone
//   dBeta                      [channels], written
//   dY                         [rows, channels], written, or null
extern "C" __global__ void __launch_bounds__(threads)
columns_backward(const float *__restrict__ dA, const float *__restrict__ y, const float *__restrict__ mean,
                 const float *__restrict__ invStd, const float *__restrict__ scale, const float *__restrict__ beta,
                 const uint8 *__restrict__ mask, float *__restrict__ dGamma, float *__restrict__ dBeta,
                 float *__restrict__ dY, int32 rows, int32 channels, float slope, float keep) {
  __shared__ double shared[warpsPerBlock][warpLanes];
  const int c = blockIdx.x * channelsPerBlock + threadIdx.x % warpLanes;
  const bool active = c < channels;
  const float m = active ? mean[c] : 0, s = active ? scale[c] : 0, b = active ? beta[c] : 0;
  float di[rowsPerWarp] = {}, dzi[rowsPerWarp] = {};
  double sum = 0, moment = 0;
  forEachRow(active ? rows : 0, [&](int i, int row) {
    const int at = row * channels + c;
    const float d = y[at] - m;
    float dz = dA[at];
    if (mask) dz *= dropped(mask[at], keep);
    dz *= derivative(normalized(d, s, b), slope);
    di[i] = d;
    dzi[i] = dz;
    sum += dz;
    moment += double(dz) * d;
  });
  const float sumBeta = sumColumns(sum, shared), sumGamma = sumColumns(moment, shared);
  if (!active) return;

  float dSlope = 0, dOffset = 0;
  if (threadIdx.x < warpLanes) dBeta[c] = sumBeta;
  if (dGamma) {
    const float inverse = invStd[c], perRow = -s / rows, gamma = sumGamma * inverse;
    if (threadIdx.x < warpLanes) dGamma[c] = gamma;
    dSlope = perRow * inverse * gamma;
    dOffset = perRow * sumBeta;
  }
  if (!dY) return;
  forEachRow(rows, [&](int i, int row) { dY[row * channels + c] = dzi[i] * s + di[i] * dSlope + dOffset; });
}
