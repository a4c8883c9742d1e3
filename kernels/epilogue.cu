// Normalization or bias, LeakyReLU and dropout after a convolution or dense
// layer: see epilogue.go for the formulas.
#include "epilogue.cuh"

// epilogue_forward: see EpilogueForward.
//
//   y                  [rows, channels]
//   mean, scale, beta  [channels]
//   mask               [rows, channels], or null: keep all
//   a                  [rows, channels], written
extern "C" __global__ void __launch_bounds__(threads)
epilogue_forward(const float *__restrict__ y, const float *__restrict__ mean, const float *__restrict__ scale,
                 const float *__restrict__ beta, const uint8 *__restrict__ mask, float *__restrict__ a, int32 rows,
                 int32 channels, float slope, float keep) {
  const Rows block = rowsOfBlock(rows, rowsPerBlock(channels));
  forEachColumn(block, channels, aligned(y, mean, scale, beta, mask, a), [&](auto width, Column column) {
    constexpr int N = width.value;
    Pack<float, N> p[3];
    perChannel<N>(column, {mean, scale, beta}, p);
#pragma unroll 4
    for (int row = column.first; row < column.last; row += column.groups) {
      const uint64 at = uint64(row) * channels + column.channel;
      const auto yi = load<N>(y + at);
      const auto kept = loadMask<N>(mask, at);
      Pack<float, N> ai;
      for (int i = 0; i < N; i++) {
        const float z = normalized(yi.at[i] - p[0].at[i], p[1].at[i], p[2].at[i]);
        ai.at[i] = z * derivative(z, slope);
        if (mask) ai.at[i] *= dropped(kept.at[i], keep);
      }
      store(a + at, ai);
    }
  });
}

// epilogue_reduce: see EpilogueReduce. A block reduces a chunk of rows.
//
//   dA, y              [rows, channels]
//   mean, scale, beta  [channels]
//   mask               [rows, channels], or null
//   partial            [chunks, 2, channels], written
extern "C" __global__ void __launch_bounds__(threads)
epilogue_reduce(const float *__restrict__ dA, const float *__restrict__ y, const float *__restrict__ mean,
                const float *__restrict__ scale, const float *__restrict__ beta, const uint8 *__restrict__ mask,
                float *__restrict__ partial, int32 rows, int32 channels, float slope, float keep) {
  const Rows chunk = rowsOfBlock(rows, rowsPerChunk(channels));
  forEachColumn(chunk, channels, aligned(dA, y, mean, scale, beta, mask, partial), [&](auto width, Column column) {
    constexpr int N = width.value;
    Pack<float, N> p[3];
    perChannel<N>(column, {mean, scale, beta}, p);
    Sums<N> sums = {};
#pragma unroll 4
    for (int row = column.first; row < column.last; row += column.groups) {
      const uint64 at = uint64(row) * channels + column.channel;
      const auto yi = load<N>(y + at), dai = load<N>(dA + at);
      const auto kept = loadMask<N>(mask, at);
      for (int i = 0; i < N; i++) {
        const float d = yi.at[i] - p[0].at[i];
        float dz = dai.at[i];
        if (mask) dz *= dropped(kept.at[i], keep);
        dz *= derivative(normalized(d, p[1].at[i], p[2].at[i]), slope);
        sums.first.at[i] += dz;
        sums.second.at[i] += dz * d;
      }
    }
    sumColumn(column, sums);
    if (column.group != 0 || !column.active) return;
    float *const out = partial + uint64(blockIdx.x) * 2 * channels + column.channel;
    store(out, sums.first);
    store(out + channels, sums.second);
  });
}

// epilogue_backward: see EpilogueBackward.
//
//   dA, y                                [rows, channels]
//   mean, scale, beta, dSlope, dOffset   [channels]
//   mask                                 [rows, channels], or null
//   dY                                   [rows, channels], written
//
// Three blocks a multiprocessor are enough; for four ptxas would spill registers.
extern "C" __global__ void __launch_bounds__(threads, 3)
epilogue_backward(const float *__restrict__ dA, const float *__restrict__ y, const float *__restrict__ mean,
                  const float *__restrict__ scale, const float *__restrict__ beta, const float *__restrict__ dSlope,
                  const float *__restrict__ dOffset, const uint8 *__restrict__ mask, float *__restrict__ dY, int32 rows,
                  int32 channels, float slope, float keep) {
  const Rows block = rowsOfBlock(rows, rowsPerBlock(channels));
  const bool packs = aligned(dA, y, mean, scale, beta, dSlope, dOffset, mask, dY);
  forEachColumn(block, channels, packs, [&](auto width, Column column) {
    constexpr int N = width.value;
    Pack<float, N> p[5];
    perChannel<N>(column, {mean, scale, beta, dSlope, dOffset}, p);
#pragma unroll 2
    for (int row = column.first; row < column.last; row += column.groups) {
      const uint64 at = uint64(row) * channels + column.channel;
      const auto yi = load<N>(y + at), dai = load<N>(dA + at);
      const auto kept = loadMask<N>(mask, at);
      Pack<float, N> dyi;
      for (int i = 0; i < N; i++) {
        const float d = yi.at[i] - p[0].at[i];
        float dz = dai.at[i];
        if (mask) dz *= dropped(kept.at[i], keep);
        dz *= derivative(normalized(d, p[1].at[i], p[2].at[i]), slope);
        dyi.at[i] = dz * p[1].at[i] + d * p[3].at[i] + p[4].at[i];
      }
      store(dY + at, dyi);
    }
  });
}
