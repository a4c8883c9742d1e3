// A batch from pictures on the device: see gather.go.
#include "common.cuh"

// gather: see Gather. A block makes a row.
//
//   images [pictures, values] bytes
//   labels [pictures]
//   order  [samples of a pass]
//   x      [rows, values], written
//   y      [rows], written
//
// Moves 5 bytes a value and 9 a row.
extern "C" __global__ void __launch_bounds__(threads)
gather(const uint8 *__restrict__ images, const uint8 *__restrict__ labels, const uint32 *__restrict__ order,
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
