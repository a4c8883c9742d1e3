// The epilogue that ends in 2x2 max pooling: see epilogue_pool.go.
#include "epilogue.cuh"

// epilogue_pool_forward: see EpiloguePoolForward. A block makes whole pooled rows.
//
//   y                  [pictures, height, width, channels]
//   mean, scale, beta  [channels]
//   mask               [pooled rows, channels], or null: keep all
//   a                  [pooled rows, channels], written
//   index, winner      [pooled rows, channels], written, or both null
extern "C" __global__ void __launch_bounds__(threads)
epilogue_pool_forward(const float *__restrict__ y, const float *__restrict__ mean, const float *__restrict__ scale,
                      const float *__restrict__ beta, const uint8 *__restrict__ mask, float *__restrict__ a,
                      uint8 *__restrict__ index, float *__restrict__ winner, int32 pictures, int32 height, int32 width,
                      int32 channels, float slope, float keep) {
  const Rows block = rowsOfBlock(pooledRowsOf(pictures, height, width), rowsPerBlock(channels));
  const bool packs = aligned(y, mean, scale, beta, mask, a, index, winner);
  forEachColumn(block, channels, packs, [&](auto packWidth, Column column) {
    constexpr int N = packWidth.value;
    Pack<float, N> p[3];
    perChannel<N>(column, {mean, scale, beta}, p);
    for (int row = column.first; row < column.last; row += column.groups) {
      const Window window = windowOf(row, height, width);
      const uint64 at = uint64(row) * channels + column.channel;
      Pack<float, N> pixels[4];
      for (int pixel = 0; pixel < 4; pixel++) pixels[pixel] = load<N>(y + uint64(window.rows[pixel]) * channels + column.channel);
      const auto kept = loadMask<N>(mask, at);
      Pack<float, N> ai, yi;
      Pack<uint8, N> place;
      for (int i = 0; i < N; i++) {
        for (int pixel = 0; pixel < 4; pixel++) {
          const float z = normalized(pixels[pixel].at[i] - p[0].at[i], p[1].at[i], p[2].at[i]);
          const float v = z * derivative(z, slope);
          if (pixel == 0 || v > ai.at[i]) {
            ai.at[i] = v;
            yi.at[i] = pixels[pixel].at[i];
            place.at[i] = pixel;
          }
        }
        if (mask) ai.at[i] *= dropped(kept.at[i], keep);
      }
      store(a + at, ai);
      if (!index) continue;
      store(index + at, place);
      store(winner + at, yi);
    }
  });
}

// epilogue_pool_backward: see EpiloguePoolBackward. A block writes whole windows.
//
//   dA, index                            [pooled rows, channels]
//   y                                    [pictures, height, width, channels]
//   mean, scale, beta, dSlope, dOffset   [channels]
//   mask                                 [pooled rows, channels], or null
//   dY                                   [pictures, height, width, channels], written
//
// Three blocks a multiprocessor are enough; for four ptxas would spill registers.
extern "C" __global__ void __launch_bounds__(threads, 3)
epilogue_pool_backward(const float *__restrict__ dA, const float *__restrict__ y, const uint8 *__restrict__ index,
                       const float *__restrict__ mean, const float *__restrict__ scale, const float *__restrict__ beta,
                       const float *__restrict__ dSlope, const float *__restrict__ dOffset, const uint8 *__restrict__ mask,
                       float *__restrict__ dY, int32 pictures, int32 height, int32 width, int32 channels, float slope,
                       float keep) {
  const Rows block = rowsOfBlock(pooledRowsOf(pictures, height, width), rowsPerBlock(channels));
  const bool packs = aligned(dA, y, index, mean, scale, beta, dSlope, dOffset, mask, dY);
  forEachColumn(block, channels, packs, [&](auto packWidth, Column column) {
    constexpr int N = packWidth.value;
    Pack<float, N> p[5];
    perChannel<N>(column, {mean, scale, beta, dSlope, dOffset}, p);
    for (int row = column.first; row < column.last; row += column.groups) {
      const Window window = windowOf(row, height, width);
      const uint64 at = uint64(row) * channels + column.channel;
      const auto dai = load<N>(dA + at);
      const auto winner = load<N>(index + at);
      const auto kept = loadMask<N>(mask, at);
      for (int pixel = 0; pixel < 4; pixel++) {
        const bool there = (pixel % 2 == 0 || window.right) && (pixel / 2 == 0 || window.down);
        if (!there) continue;
        const uint64 of = uint64(window.rows[pixel]) * channels + column.channel;
        const auto yi = load<N>(y + of);
        Pack<float, N> dyi;
        for (int i = 0; i < N; i++) {
          const float d = yi.at[i] - p[0].at[i];
          float affine = d * p[3].at[i];
          if (winner.at[i] == pixel) {
            float dz = dai.at[i];
            if (mask) dz *= dropped(kept.at[i], keep);
            dz *= derivative(normalized(d, p[1].at[i], p[2].at[i]), slope);
            affine = dz * p[1].at[i] + affine;
          }
          dyi.at[i] = affine + p[4].at[i];
        }
        store(dY + of, dyi);
      }
    }
  });
}
