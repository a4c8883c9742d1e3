// HesScale, a diagonal of the Gauss-Newton matrix: see hesscale.go for
// the formulas.
#include "epilogue.cuh"
#include "softmax.cuh"

// ggn_column: see GGNColumn. A warp does a row.
//
//   logits [rows, classes]
//   d      [rows, classes], written
extern "C" __global__ void __launch_bounds__(threads)
ggn_column(const float *__restrict__ logits, float *__restrict__ d, int32 rows, int32 classes, int32 column) {
  const int row = blockIdx.x * rowsPerSoftmaxBlock + threadIdx.x / warpLanes;
  if (row >= rows) return;  // a whole warp
  const float *const x = logits + uint64(row) * classes;
  float *const out = d + uint64(row) * classes;
  const Softmax p = softmaxOf(x, classes);
  const float root = sqrtf(p.of(x[column]) / rows);
  for (int c = threadIdx.x % warpLanes; c < classes; c += warpLanes) out[c] = root * ((c == column) - p.of(x[c]));
}

// hesscale_logits: see HesScaleLogits. A warp does a row.
//
//   logits [rows, classes]
//   q      [rows, classes], written
extern "C" __global__ void __launch_bounds__(threads)
hesscale_logits(const float *__restrict__ logits, float *__restrict__ q, int32 rows, int32 classes) {
  const int row = blockIdx.x * rowsPerSoftmaxBlock + threadIdx.x / warpLanes;
  if (row >= rows) return;  // a whole warp
  const float *const x = logits + uint64(row) * classes;
  float *const out = q + uint64(row) * classes;
  const Softmax softmax = softmaxOf(x, classes);
  for (int c = threadIdx.x % warpLanes; c < classes; c += warpLanes) {
    const float p = softmax.of(x[c]);
    out[c] = p * (1 - p) / rows;
  }
}

// channel_mean: see ChannelMean. A block finishes 32 channels, a lane each, and
// its warps take turns at the chunks.
//
//   partial [chunks, 2, channels]
//   mean    [channels], written
extern "C" __global__ void __launch_bounds__(threads)
channel_mean(const float *__restrict__ partial, float *__restrict__ mean, int32 rows, int32 channels) {
  __shared__ double shared[warpsPerBlock][warpLanes];
  const int warp = threadIdx.x / warpLanes, lane = threadIdx.x % warpLanes;
  const int c = blockIdx.x * channelsPerBlock + lane;
  const bool active = c < channels;
  const int perChunk = rowsPerChunk(channels), chunks = active ? blocksOf(rows, perChunk) : 0;
  double sum = 0;
  for (int chunk = warp; chunk < chunks; chunk += warpsPerBlock) {
    const double n = min(perChunk, rows - chunk * perChunk);
    sum += n * partial[uint64(chunk) * 2 * channels + c];
  }
  sum = sumWarps(sum, shared);
  if (warp == 0 && active) mean[c] = sum / rows;
}

// centered_square: see CenteredSquare.
//
//   x    [rows, channels]
//   mean [channels]
//   out  [rows, channels], written
extern "C" __global__ void __launch_bounds__(threads)
centered_square(const float *__restrict__ x, const float *__restrict__ mean, float *__restrict__ out, int32 rows, int32 channels) {
  const Rows block = rowsOfBlock(rows, rowsPerBlock(channels));
  forEachColumn(block, channels, aligned(x, mean, out), [&](auto width, Column column) {
    constexpr int N = width.value;
    Pack<float, N> m[1];
    perChannel<N>(column, {mean}, m);
#pragma unroll 4
    for (int row = column.first; row < column.last; row += column.groups) {
      const uint64 at = uint64(row) * channels + column.channel;
      auto v = load<N>(x + at);
      for (int i = 0; i < N; i++) {
        const float d = v.at[i] - m[0].at[i];
        v.at[i] = d * d;
      }
      store(out + at, v);
    }
  });
}

// hesscale_slope: see HesScaleSlope. A block does a chunk of rows.
//
//   qA       [rows, channels], or with an index [pooled rows, channels]
//   y        [rows, channels]
//   index    [pooled rows, channels], or null
//   mean, scale, beta  [channels]
//   mask     of the shape of qA, or null
//   qZ       [rows, channels], written, or null
//   partial  [chunks, 3, channels], written
extern "C" __global__ void __launch_bounds__(threads, 3)
hesscale_slope(const float *__restrict__ qA, const float *__restrict__ y, const uint8 *__restrict__ index,
                const float *__restrict__ mean, const float *__restrict__ scale, const float *__restrict__ beta,
                const uint8 *__restrict__ mask, float *__restrict__ qZ, float *__restrict__ partial, int32 rows,
                int32 height, int32 width, int32 channels, float slope, float keep) {
  const Rows chunk = rowsOfBlock(rows, rowsPerChunk(channels));
  const bool packs = aligned(qA, y, index, mean, scale, beta, mask, qZ, partial);
  const float slope2 = slope * slope, keep2 = keep * keep;
  forEachColumn(chunk, channels, packs, [&](auto packWidth, Column column) {
    constexpr int N = packWidth.value;
    Pack<float, N> p[3];
    perChannel<N>(column, {mean, scale, beta}, p);
    Sums<N> sums = {}, squares = {};
    for (int row = column.first; row < column.last; row += column.groups) {
      const uint64 at = uint64(row) * channels + column.channel;
      uint64 source = at;
      int position = 0;
      if (index) {
        const int pixel = row % (height * width), h = pixel / width, w = pixel % width;
        const int pooled = (row / (height * width) * ((height + 1) / 2) + h / 2) * ((width + 1) / 2) + w / 2;
        source = uint64(pooled) * channels + column.channel;
        position = h % 2 * 2 + w % 2;
      }
      const auto yi = load<N>(y + at), qi = load<N>(qA + source);
      const auto kept = loadMask<N>(mask, source), winner = loadMask<N>(index, source);
      Pack<float, N> q;
      for (int i = 0; i < N; i++) {
        const float d = yi.at[i] - p[0].at[i];
        float v = qi.at[i] * derivative(normalized(d, p[1].at[i], p[2].at[i]), slope2);
        if (mask) v *= dropped(kept.at[i], keep2);
        if (index && winner.at[i] != position) v = 0;
        q.at[i] = v;
        sums.first.at[i] += v;
        sums.second.at[i] += v * d;
        squares.first.at[i] += v * (d * d);
      }
      if (qZ) store(qZ + at, q);
    }
    sumColumn(column, sums);
    sumColumn(column, squares);
    if (column.group != 0 || !column.active) return;
    float *const out = partial + uint64(blockIdx.x) * 3 * channels + column.channel;
    store(out, sums.first);
    store(out + channels, sums.second);
    store(out + 2 * channels, squares.first);
  });
}

// hesscale_finish: see HesScaleFinish. A block finishes 32 channels, a lane
// each, and its warps take turns at the chunks, in double precision.
//
//   partial        [chunks, 3, channels]
//   invStd, scale  [channels]
//   hGamma         [channels], written, or null: a bias alone
//   hBeta          [channels], written
//   coefficients   [5, channels], written unless hGamma is null
extern "C" __global__ void __launch_bounds__(threads)
hesscale_finish(const float *__restrict__ partial, const float *__restrict__ invStd, const float *__restrict__ scale,
                 float *__restrict__ hGamma, float *__restrict__ hBeta, float *__restrict__ coefficients, int32 rows,
                 int32 channels) {
  __shared__ double shared[3][warpsPerBlock][warpLanes];
  const int warp = threadIdx.x / warpLanes, lane = threadIdx.x % warpLanes;
  const int c = blockIdx.x * channelsPerBlock + lane;
  const bool active = c < channels;
  const int chunks = active ? blocksOf(rows, rowsPerChunk(channels)) : 0;
  double sums[3] = {};
  for (int chunk = warp; chunk < chunks; chunk += warpsPerBlock) {
    for (int i = 0; i < 3; i++) sums[i] += partial[uint64(3 * chunk + i) * channels + c];
  }
  for (int i = 0; i < 3; i++) sums[i] = sumWarps(sums[i], shared[i]);
  if (warp != 0 || !active) return;

  hBeta[c] = sums[0];
  if (!hGamma) return;
  const double n = rows, r2 = double(invStd[c]) * invStd[c], s2 = double(scale[c]) * scale[c], perRow = s2 / n;
  hGamma[c] = r2 * sums[2];
  coefficients[c] = s2 - 2 * perRow;
  coefficients[channels + c] = -2 * perRow * r2;
  coefficients[2 * channels + c] = perRow * sums[0] / n;
  coefficients[3 * channels + c] = 2 * perRow * r2 * sums[1] / n;
  coefficients[4 * channels + c] = perRow * r2 * r2 * sums[2] / n;
}

// hesscale_backward: see HesScaleBackward.
//
//   q             [rows, channels], updated
//   y             [rows, channels]
//   mean          [channels]
//   coefficients  [5, channels]
extern "C" __global__ void __launch_bounds__(threads, 3)
hesscale_backward(float *__restrict__ q, const float *__restrict__ y, const float *__restrict__ mean,
                   const float *__restrict__ coefficients, int32 rows, int32 channels) {
  const Rows block = rowsOfBlock(rows, rowsPerBlock(channels));
  forEachColumn(block, channels, aligned(q, y, mean, coefficients), [&](auto width, Column column) {
    constexpr int N = width.value;
    Pack<float, N> p[6];
    perChannel<N>(column, {mean, coefficients, coefficients + channels, coefficients + 2 * channels,
                           coefficients + 3 * channels, coefficients + 4 * channels}, p);
#pragma unroll 2
    for (int row = column.first; row < column.last; row += column.groups) {
      const uint64 at = uint64(row) * channels + column.channel;
      const auto yi = load<N>(y + at);
      auto qi = load<N>(q + at);
      for (int i = 0; i < N; i++) {
        const float d = yi.at[i] - p[0].at[i], square = d * d;
        float v = qi.at[i] * (p[1].at[i] + p[2].at[i] * square) + p[3].at[i];
        v += p[4].at[i] * d + p[5].at[i] * square;
        qi.at[i] = v < 0 ? 0 : v;
      }
      store(q + at, qi);
    }
  });
}
