// RMSprop: see rmsprop.go.
#include "update.cuh"

// rmsprop_update: see RMSPropUpdate for the formula. A block updates a chunk.
//
//   w, v         [elements], updated; no two may alias
//   g            [elements]
//   chunks       [blocks, 4], aligned to 16 bytes
//   coefficients [steps, 4], aligned to 16 bytes: rate
//
// Moves 20 bytes and takes 11 flops an element.
extern "C" __global__ void __launch_bounds__(threads)
rmsprop_update(float *__restrict__ w, const float *__restrict__ g, float *__restrict__ v, const uint32 *__restrict__ chunks,
               const float *__restrict__ coefficients, const uint32 *__restrict__ state, float rho, float oneMinusRho,
               float epsilon, float weightDecay, uint32 legacy) {
  const Chunk chunk = chunkOfBlock(chunks);
  const float rate = coefficientsOfStep(coefficients, state).at[0];
  w += chunk.offset, g += chunk.offset, v += chunk.offset;
  forEachElement(chunk.n, aligned(w, g, v), [&](auto width, int i) {
    constexpr int N = width.value;
    auto wi = load<N>(w + i), vi = load<N>(v + i);
    const auto gi = load<N>(g + i);
    for (int j = 0; j < N; j++) {
      vi.at[j] = rho * vi.at[j] + oneMinusRho * (gi.at[j] * gi.at[j]);
      const float root = legacy ? sqrtf(vi.at[j]) + epsilon : sqrtf(vi.at[j] + epsilon);
      wi.at[j] = wi.at[j] - wi.at[j] * weightDecay * rate - rate * gi.at[j] / root;
    }
    store(v + i, vi);
    store(w + i, wi);
  });
}
