// The tangents of a network on the way back: see tangent_backward.go for the
// formulas.
#include "epilogue.cuh"

// Gradients takes packs of da and daDot through dropout, pooling and LeakyReLU.
template <int N>
struct Gradients {
  Pack<float, N> da, daDot;
  Pack<uint8, N> kept, winner;
  bool masked, pooled;
  int position;  // of the row in its window

  // dz and dzDot are at element i, with the derivative of LeakyReLU there.
  struct Pair {
    float dz, dzDot;
  };
  __device__ __forceinline__ Pair at(int i, float factor, float keep) const {
    if (masked) factor *= dropped(kept.at[i], keep);
    const bool passes = !pooled || winner.at[i] == position;
    return {passes ? da.at[i] * factor : 0, passes ? daDot.at[i] * factor : 0};
  }
};

// gradientsAt reads what goes to the pack of y at a row and channel.
template <int N>
__device__ __forceinline__ Gradients<N> gradientsAt(const float *dA, const float *dADot, const uint8 *index, const uint8 *mask,
                                                    int row, int channel, int height, int width, int channels) {
  const Place place = index ? placeOf(row, height, width) : Place{row, 0};
  const uint64 at = uint64(place.row) * channels + channel;
  return {load<N>(dA + at), load<N>(dADot + at), loadMask<N>(mask, at), loadMask<N>(index, at), mask != nullptr, index != nullptr, place.position};
}

// tangent_reduce: see TangentReduce. A block reduces a chunk of rows.
//
//   dA, dADot                   [rows, channels], or with an index [pooled rows, channels]
//   y, yDot                     [rows, channels]
//   index                       [pooled rows, channels], or null
//   mean, scale, beta, meanDot  [channels]
//   mask                        of the shape of dA, or null
//   partial                     [chunks, 2, channels], written
extern "C" __global__ void __launch_bounds__(threads, 3)
tangent_reduce(const float *__restrict__ dA, const float *__restrict__ dADot, const float *__restrict__ y,
               const float *__restrict__ yDot, const uint8 *__restrict__ index, const float *__restrict__ mean,
               const float *__restrict__ scale, const float *__restrict__ beta, const float *__restrict__ meanDot,
               const uint8 *__restrict__ mask, float *__restrict__ partial, int32 rows, int32 height, int32 width,
               int32 channels, float slope, float keep) {
  const Rows chunk = rowsOfBlock(rows, rowsPerChunk(channels));
  const bool packs = aligned(dA, dADot, y, yDot, index, mean, scale, beta, meanDot, mask, partial);
  forEachColumn(chunk, channels, packs, [&](auto packWidth, Column column) {
    constexpr int N = packWidth.value;
    Pack<float, N> p[4];
    perChannel<N>(column, {mean, scale, beta, meanDot}, p);
    Sums<N> sums = {};
#pragma unroll 2
    for (int row = column.first; row < column.last; row += column.groups) {
      const uint64 at = uint64(row) * channels + column.channel;
      const auto yi = load<N>(y + at), dot = load<N>(yDot + at);
      const auto from = gradientsAt<N>(dA, dADot, index, mask, row, column.channel, height, width, channels);
      for (int i = 0; i < N; i++) {
        const float d = yi.at[i] - p[0].at[i], dDot = dot.at[i] - p[3].at[i];
        const auto g = from.at(i, derivative(normalized(d, p[1].at[i], p[2].at[i]), slope), keep);
        sums.first.at[i] += g.dzDot;
        sums.second.at[i] += g.dzDot * d + g.dz * dDot;
      }
    }
    sumColumn(column, sums);
    if (column.group != 0 || !column.active) return;
    float *const out = partial + uint64(blockIdx.x) * 2 * channels + column.channel;
    store(out, sums.first);
    store(out + channels, sums.second);
  });
}

// tangent_gradient: see TangentGradient. A block finishes 32 channels, a lane each,
// and its warps take turns at the chunks, in double precision.
//
//   partial                             [chunks, 2, channels]
//   invStd, invStdDot, scale, scaleDot  [channels]
//   dGamma                              [channels], or null with dGammaDot
//   dBeta                               [channels]
//   dGammaDot                           [channels], written, or null: a bias alone
//   dBetaDot                            [channels], written
//   coefficients                        [3, channels], written unless dGammaDot is null
extern "C" __global__ void __launch_bounds__(threads)
tangent_gradient(const float *__restrict__ partial, const float *__restrict__ invStd, const float *__restrict__ invStdDot,
                 const float *__restrict__ scale, const float *__restrict__ scaleDot, const float *__restrict__ dGamma,
                 const float *__restrict__ dBeta, float *__restrict__ dGammaDot, float *__restrict__ dBetaDot,
                 float *__restrict__ coefficients, int32 rows, int32 channels) {
  __shared__ double sums[warpsPerBlock][warpLanes], moments[warpsPerBlock][warpLanes];
  const int warp = threadIdx.x / warpLanes, lane = threadIdx.x % warpLanes;
  const int c = blockIdx.x * channelsPerBlock + lane;
  const bool active = c < channels;
  const int chunks = active ? blocksOf(rows, rowsPerChunk(channels)) : 0;
  double sum = 0, momentDot = 0;
#pragma unroll 4
  for (int chunk = warp; chunk < chunks; chunk += warpsPerBlock) {
    const float *const from = partial + uint64(chunk) * 2 * channels + c;
    sum += from[0];
    momentDot += from[channels];
  }
  sum = sumWarps(sum, sums);
  momentDot = sumWarps(momentDot, moments);
  if (warp != 0 || !active) return;

  dBetaDot[c] = sum;
  if (!dGammaDot) return;
  const double n = rows, r = invStd[c], rDot = invStdDot[c], s = scale[c], sDot = scaleDot[c], g = dGamma[c];
  const double gDot = rDot * (g / r) + r * momentDot;
  dGammaDot[c] = gDot;
  coefficients[c] = -(s * r * g) / n;
  coefficients[channels + c] = -(sDot * r * g + s * rDot * g + s * r * gDot) / n;
  coefficients[2 * channels + c] = -(sDot * dBeta[c] + s * sum) / n;
}

// tangent_backward: see TangentBackward.
//
//   dA, dADot                             [rows, channels], or with an index [pooled rows, channels]
//   y, yDot                               [rows, channels]
//   index                                 [pooled rows, channels], or null
//   mean, scale, beta, meanDot, scaleDot  [channels]
//   coefficients                          [3, channels]
//   mask                                  of the shape of dA, or null
//   dYDot                                 [rows, channels], written
extern "C" __global__ void __launch_bounds__(threads, 3)
tangent_backward(const float *__restrict__ dA, const float *__restrict__ dADot, const float *__restrict__ y,
                 const float *__restrict__ yDot, const uint8 *__restrict__ index, const float *__restrict__ mean,
                 const float *__restrict__ scale, const float *__restrict__ beta, const float *__restrict__ meanDot,
                 const float *__restrict__ scaleDot, const float *__restrict__ coefficients, const uint8 *__restrict__ mask,
                 float *__restrict__ dYDot, int32 rows, int32 height, int32 width, int32 channels, float slope, float keep) {
  const Rows block = rowsOfBlock(rows, rowsPerBlock(channels));
  const bool packs = aligned(dA, dADot, y, yDot, index, mean, scale, beta, meanDot, scaleDot, coefficients, mask, dYDot);
  forEachColumn(block, channels, packs, [&](auto packWidth, Column column) {
    constexpr int N = packWidth.value;
    Pack<float, N> p[8];  // mean, scale, beta, meanDot, scaleDot, c1, c1Dot, c0Dot
    perChannel<N>(column, {mean, scale, beta, meanDot, scaleDot, coefficients, coefficients + channels, coefficients + 2 * channels}, p);
    for (int row = column.first; row < column.last; row += column.groups) {
      const uint64 at = uint64(row) * channels + column.channel;
      const auto yi = load<N>(y + at), dot = load<N>(yDot + at);
      const auto from = gradientsAt<N>(dA, dADot, index, mask, row, column.channel, height, width, channels);
      Pack<float, N> out;
      for (int i = 0; i < N; i++) {
        const float d = yi.at[i] - p[0].at[i], dDot = dot.at[i] - p[3].at[i];
        const auto g = from.at(i, derivative(normalized(d, p[1].at[i], p[2].at[i]), slope), keep);
        const float through = g.dz * p[4].at[i] + g.dzDot * p[1].at[i];
        out.at[i] = through + d * p[6].at[i] + dDot * p[5].at[i] + p[7].at[i];
      }
      store(dYDot + at, out);
    }
  });
}
