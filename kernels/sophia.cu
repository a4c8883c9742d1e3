// Sophia: see sophia.go.
#include "update.cuh"

// sophia_update: see SophiaUpdate for the formula. A block updates a chunk.
//
//   w, m         [elements], updated; no two may alias
//   g, h         [elements]
//   chunks       [blocks, 4], aligned to 16 bytes
//   coefficients [steps, 4], aligned to 16 bytes: rate
//
// Moves 24 bytes and takes 12 flops an element.
extern "C" __global__ void __launch_bounds__(threads)
sophia_update(float *__restrict__ w, const float *__restrict__ g, const float *__restrict__ h, float *__restrict__ m,
              const uint32 *__restrict__ chunks, const float *__restrict__ coefficients, const uint32 *__restrict__ state,
              float beta1, float oneMinusBeta1, float rho, float epsilon, float weightDecay) {
  const Chunk chunk = chunkOfBlock(chunks);
  const float rate = coefficientsOfStep(coefficients, state).at[0];
  w += chunk.offset, g += chunk.offset, h += chunk.offset, m += chunk.offset;
  forEachElement(chunk.n, aligned(w, g, h, m), [&](auto width, int i) {
    constexpr int N = width.value;
    auto wi = load<N>(w + i), mi = load<N>(m + i);
    const auto gi = load<N>(g + i), hi = load<N>(h + i);
    for (int j = 0; j < N; j++) {
      mi.at[j] = beta1 * mi.at[j] + oneMinusBeta1 * gi.at[j];
      wi.at[j] -= rate * weightDecay * wi.at[j];
      // Not fmin and fmax alone: a NaN must come through, as it does in Go.
      const float floor = rho * hi.at[j];
      const float ratio = mi.at[j] / (floor < epsilon ? epsilon : floor);
      wi.at[j] -= rate * (ratio > 1 ? 1 : ratio < -1 ? -1 : ratio);
    }
    store(m + i, mi);
    store(w + i, wi);
  });
}
