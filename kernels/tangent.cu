// The tangents of a network on the way forward: see tangent.go for the formulas.
#include "epilogue.cuh"
#include "softmax.cuh"

// tangent_stats: see TangentStats. A block reduces a chunk of rows.
//
//   y, yDot  [rows, channels]
//   mean     [channels]
//   partial  [chunks, 2, channels], written
extern "C" __global__ void __launch_bounds__(threads)
tangent_stats(const float *__restrict__ y, const float *__restrict__ yDot, const float *__restrict__ mean,
              float *__restrict__ partial, int32 rows, int32 channels) {
  const Rows chunk = rowsOfBlock(rows, rowsPerChunk(channels));
  forEachColumn(chunk, channels, aligned(y, yDot, mean, partial), [&](auto width, Column column) {
    constexpr int N = width.value;
    Pack<float, N> p[1];
    perChannel<N>(column, {mean}, p);
    Sums<N> sums = {};
#pragma unroll 4
    for (int row = column.first; row < column.last; row += column.groups) {
      const uint64 at = uint64(row) * channels + column.channel;
      const auto yi = load<N>(y + at), dot = load<N>(yDot + at);
      for (int i = 0; i < N; i++) {
        sums.first.at[i] += dot.at[i];
        sums.second.at[i] += (yi.at[i] - p[0].at[i]) * dot.at[i];
      }
    }
    sumColumn(column, sums);
    if (column.group != 0 || !column.active) return;
    float *const out = partial + uint64(blockIdx.x) * 2 * channels + column.channel;
    store(out, sums.first);
    store(out + channels, sums.second);
  });
}

// tangent_finish: see TangentFinish. A block finishes 32 channels, a lane each,
// and its warps take turns at the chunks, in double precision.
//
//   partial                       [chunks, 2, channels]
//   gamma, gammaDot, invStd       [channels]
//   meanDot, invStdDot, scaleDot  [channels], written
extern "C" __global__ void __launch_bounds__(threads)
tangent_finish(const float *__restrict__ partial, const float *__restrict__ gamma, const float *__restrict__ gammaDot,
               const float *__restrict__ invStd, float *__restrict__ meanDot, float *__restrict__ invStdDot,
               float *__restrict__ scaleDot, int32 rows, int32 channels) {
  __shared__ double sums[warpsPerBlock][warpLanes], moments[warpsPerBlock][warpLanes];
  const int warp = threadIdx.x / warpLanes, lane = threadIdx.x % warpLanes;
  const int c = blockIdx.x * channelsPerBlock + lane;
  const bool active = c < channels;
  const int chunks = active ? blocksOf(rows, rowsPerChunk(channels)) : 0;
  double sum = 0, moment = 0;
#pragma unroll 4
  for (int chunk = warp; chunk < chunks; chunk += warpsPerBlock) {
    const float *const from = partial + uint64(chunk) * 2 * channels + c;
    sum += from[0];
    moment += from[channels];
  }
  sum = sumWarps(sum, sums);
  moment = sumWarps(moment, moments);
  if (warp != 0 || !active) return;

  const double r = invStd[c], rDot = -(r * r * r) * (moment / rows);
  meanDot[c] = sum / rows;
  invStdDot[c] = rDot;
  scaleDot[c] = gammaDot[c] * r + gamma[c] * rDot;
}

// activated is the tangent of LeakyReLU of z, from an element of y and yDot. p holds
// mean, scale, beta, meanDot, scaleDot and betaDot of a pack of channels, its own the
// one at i.
template <int N>
__device__ __forceinline__ float activated(const Pack<float, N> (&p)[6], int i, float y, float yDot, float slope) {
  const float d = y - p[0].at[i];
  const float zDot = (yDot - p[3].at[i]) * p[1].at[i] + d * p[4].at[i] + p[5].at[i];
  return zDot * derivative(normalized(d, p[1].at[i], p[2].at[i]), slope);
}

// tangent_forward: see TangentForward.
//
//   y, yDot                                      [rows, channels]
//   mean, scale, beta, meanDot, scaleDot, betaDot [channels]
//   mask                                         [rows, channels], or null: keep all
//   aDot                                         [rows, channels], written
//
// Three blocks a multiprocessor leave a thread 85 registers, which the kernels of
// this file need.
extern "C" __global__ void __launch_bounds__(threads, 3)
tangent_forward(const float *__restrict__ y, const float *__restrict__ yDot, const float *__restrict__ mean,
                const float *__restrict__ scale, const float *__restrict__ beta, const float *__restrict__ meanDot,
                const float *__restrict__ scaleDot, const float *__restrict__ betaDot, const uint8 *__restrict__ mask,
                float *__restrict__ aDot, int32 rows, int32 channels, float slope, float keep) {
  const Rows block = rowsOfBlock(rows, rowsPerBlock(channels));
  const bool packs = aligned(y, yDot, mean, scale, beta, meanDot, scaleDot, betaDot, mask, aDot);
  forEachColumn(block, channels, packs, [&](auto width, Column column) {
    constexpr int N = width.value;
    Pack<float, N> p[6];
    perChannel<N>(column, {mean, scale, beta, meanDot, scaleDot, betaDot}, p);
#pragma unroll 2
    for (int row = column.first; row < column.last; row += column.groups) {
      const uint64 at = uint64(row) * channels + column.channel;
      const auto yi = load<N>(y + at), dot = load<N>(yDot + at);
      const auto kept = loadMask<N>(mask, at);
      Pack<float, N> out;
      for (int i = 0; i < N; i++) {
        out.at[i] = activated<N>(p, i, yi.at[i], dot.at[i], slope);
        if (mask) out.at[i] *= dropped(kept.at[i], keep);
      }
      store(aDot + at, out);
    }
  });
}

// tangent_pool_forward: see TangentPoolForward. A block makes whole pooled rows. It
// reads whole windows, although one pixel of each counts: which one differs from
// channel to channel, and memory comes in sectors of 8 channels.
//
//   y, yDot                                      [pictures, height, width, channels]
//   index                                        [pooled rows, channels]
//   mean, scale, beta, meanDot, scaleDot, betaDot [channels]
//   mask                                         [pooled rows, channels], or null: keep all
//   aDot                                         [pooled rows, channels], written
extern "C" __global__ void __launch_bounds__(threads, 3)
tangent_pool_forward(const float *__restrict__ y, const float *__restrict__ yDot, const uint8 *__restrict__ index,
                     const float *__restrict__ mean, const float *__restrict__ scale, const float *__restrict__ beta,
                     const float *__restrict__ meanDot, const float *__restrict__ scaleDot,
                     const float *__restrict__ betaDot, const uint8 *__restrict__ mask, float *__restrict__ aDot,
                     int32 pictures, int32 height, int32 width, int32 channels, float slope, float keep) {
  const Rows block = rowsOfBlock(pooledRowsOf(pictures, height, width), rowsPerBlock(channels));
  const bool packs = aligned(y, yDot, index, mean, scale, beta, meanDot, scaleDot, betaDot, mask, aDot);
  forEachColumn(block, channels, packs, [&](auto packWidth, Column column) {
    constexpr int N = packWidth.value;
    Pack<float, N> p[6];
    perChannel<N>(column, {mean, scale, beta, meanDot, scaleDot, betaDot}, p);
    for (int row = column.first; row < column.last; row += column.groups) {
      const Window window = windowOf(row, height, width);
      const uint64 at = uint64(row) * channels + column.channel;
      const auto winner = load<N>(index + at);
      const auto kept = loadMask<N>(mask, at);
      Pack<float, N> yi, dot;
      for (int pixel = 0; pixel < 4; pixel++) {
        const uint64 of = uint64(window.rows[pixel]) * channels + column.channel;
        const auto yPixel = load<N>(y + of), dotPixel = load<N>(yDot + of);
        for (int i = 0; i < N; i++) {
          if (pixel == 0 || winner.at[i] == pixel) {
            yi.at[i] = yPixel.at[i];
            dot.at[i] = dotPixel.at[i];
          }
        }
      }
      Pack<float, N> out;
      for (int i = 0; i < N; i++) {
        out.at[i] = activated<N>(p, i, yi.at[i], dot.at[i], slope);
        if (mask) out.at[i] *= dropped(kept.at[i], keep);
      }
      store(aDot + at, out);
    }
  });
}

// tangent_loss: see TangentLoss. A warp does a row. A row is read three times; all
// but the first come from the cache.
//
//   logits, logitsDot  [rows, classes]
//   dLogitsDot         [rows, classes], written
extern "C" __global__ void __launch_bounds__(threads)
tangent_loss(const float *__restrict__ logits, const float *__restrict__ logitsDot, float *__restrict__ dLogitsDot,
             int32 rows, int32 classes) {
  const int lane = threadIdx.x % warpLanes;
  const int row = blockIdx.x * rowsPerSoftmaxBlock + threadIdx.x / warpLanes;
  if (row >= rows) return;  // a whole warp
  const float *const x = logits + uint64(row) * classes, *const xDot = logitsDot + uint64(row) * classes;
  float *const out = dLogitsDot + uint64(row) * classes;
  const float largest = largestOf(x, classes);
  // sum is of exp(x - largest), moment of that times xDot.
  float sum = 0, moment = 0;
  for (int c = lane; c < classes; c += warpLanes) {
    const float e = expf(x[c] - largest);
    sum += e;
    moment += e * xDot[c];
  }
  sum = warpSum(sum);
  const float mean = warpSum(moment) / sum;
  for (int c = lane; c < classes; c += warpLanes) out[c] = expf(x[c] - largest) / sum * (xDot[c] - mean) / rows;
}
