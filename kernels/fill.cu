// The same value everywhere: see fill.go.
#include "common.cuh"

// fill: see Fill.
//
//   x [elements], written
extern "C" __global__ void __launch_bounds__(threads) fill(uint32 *__restrict__ x, int32 elements, uint32 value) {
  const int first = blockIdx.x * elementsPerBlock;
  x += first;
  forEachElement(min(elementsPerBlock, elements - first), aligned(x), [&](auto width, int i) {
    constexpr int N = width.value;
    Pack<uint32, N> pack;
    for (int j = 0; j < N; j++) pack.at[j] = value;
    store(x + i, pack);
  });
}
