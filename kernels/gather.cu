// A batch from pictures on the device: see gather.go.
#include "philox.cuh"

// gather: see Gather. A block makes a row.
//
//   images [pictures, values] bytes
//   labels [pictures]
//   order  [samples of a pass]
//   x      [rows, values], written
//   y      [rows], written
extern "C" __global__ void __launch_bounds__(threads)
gather(const uint8 *__restrict__ images, const int32 *__restrict__ labels, const uint32 *__restrict__ order,
       const uint32 *__restrict__ state, float *__restrict__ x, int32 *__restrict__ y, int32 rows, int32 values, float divisor) {
  const uint32 picture = order[state[stateSample] + blockIdx.x];
  if (threadIdx.x == 0) y[blockIdx.x] = labels[picture];
  images += uint64(picture) * values;
  x += uint64(blockIdx.x) * values;
  forEachElement(values, aligned(images, x), [&](auto width, int i) {
    constexpr int N = width.value;
    const auto from = load<N>(images + i);
    Pack<float, N> to;
    for (int j = 0; j < N; j++) to.at[j] = float(from.at[j]) / divisor;
    store(x + i, to);
  });
}

// gather_values: see GatherValues. A block makes a row.
//
//   table  [table rows, inputs]
//   labels [table rows]
//   order  [samples of a pass]
//   offset [inputs]
//   factor [inputs]
//   x      [rows, inputs], written
//   y      [rows], written
extern "C" __global__ void __launch_bounds__(threads)
gather_values(const float *__restrict__ table, const int32 *__restrict__ labels, const uint32 *__restrict__ order,
              const uint32 *__restrict__ state, const float *__restrict__ offset, const float *__restrict__ factor,
              float *__restrict__ x, int32 *__restrict__ y, int32 rows, int32 inputs) {
  const uint32 row = order[state[stateSample] + blockIdx.x];
  if (threadIdx.x == 0) y[blockIdx.x] = labels[row];
  table += uint64(row) * inputs;
  x += uint64(blockIdx.x) * inputs;
  forEachElement(inputs, aligned(table, offset, factor, x), [&](auto width, int i) {
    constexpr int N = width.value;
    const auto from = load<N>(table + i), minus = load<N>(offset + i), times = load<N>(factor + i);
    Pack<float, N> to;
    for (int j = 0; j < N; j++) to.at[j] = (from.at[j] - minus.at[j]) * times.at[j];
    store(x + i, to);
  });
}

// gather_augment: see GatherAugment. A block makes a row, a warp a line of it.
//
//   images [pictures, height, width, channels] bytes
//   labels [pictures]
//   order  [samples of a pass]
//   x      [rows, height, width, channels], written
//   y      [rows], written
//
// A line that is shifted begins within a sector, so its bytes touch one more.
extern "C" __global__ void __launch_bounds__(threads)
gather_augment(const uint8 *__restrict__ images, const int32 *__restrict__ labels, const uint32 *__restrict__ order,
               const uint32 *__restrict__ state, float *__restrict__ x, int32 *__restrict__ y, int32 rows, int32 height,
               int32 width, int32 channels, float divisor, int32 padding, int32 flip, uint32 stream, uint64 seed) {
  const uint32 sample = state[stateSample] + blockIdx.x;
  const uint32 picture = order[sample];
  if (threadIdx.x == 0) y[blockIdx.x] = labels[picture];

  const uint4 words = philox({sample, 0, state[statePass], stream}, {uint32(seed), uint32(seed >> 32)});
  const int places = 2 * padding + 1;
  const int dh = int(__umulhi(words.x, places)) - padding, dw = int(__umulhi(words.y, places)) - padding;
  const bool flipped = flip != 0 && words.z >> 31;

  const int line = width * channels;
  images += uint64(picture) * height * line;
  x += uint64(blockIdx.x) * height * line;
  for (int h = threadIdx.x / warpLanes; h < height; h += warpsPerBlock) {
    const bool inside = h + dh >= 0 && h + dh < height;
    const int from = (h + dh) * line, to = h * line;
#pragma unroll 1
    for (int i = threadIdx.x % warpLanes; i < line; i += warpLanes) {
      // Element i is channel i % channels of pixel i / channels.
      const int shifted = (flipped ? line - channels + 2 * (i % channels) - i : i) + dw * channels;
      x[to + i] = inside && shifted >= 0 && shifted < line ? float(images[from + shifted]) / divisor : 0;
    }
  }
}
