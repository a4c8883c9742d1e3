// Stochastic gradient descent with momentum: see sgd.go.
#include "update.cuh"

// sgd_update: see SGDUpdate for the formula. A block updates a chunk.
//
//   w, v         [elements], updated; no two may alias
//   g            [elements]
//   chunks       [blocks, 4], aligned to 16 bytes
//   coefficients [steps, 4], aligned to 16 bytes: rate
extern "C" __global__ void __launch_bounds__(threads)
sgd_update(float *__restrict__ w, const float *__restrict__ g, float *__restrict__ v, const uint32 *__restrict__ chunks,
           const float *__restrict__ coefficients, const uint32 *__restrict__ state, float momentum, float weightDecay,
           uint32 nesterov) {
  const Chunk chunk = chunkOfBlock(chunks);
  const float rate = coefficientsOfStep(coefficients, state).at[0];
  w += chunk.offset, g += chunk.offset, v += chunk.offset;
  forEachElement(chunk.n, aligned(w, g, v), [&](auto width, int i) {
    constexpr int N = width.value;
    auto wi = load<N>(w + i), vi = load<N>(v + i);
    const auto gi = load<N>(g + i);
    for (int j = 0; j < N; j++) {
      const float step = rate * gi.at[j];
      vi.at[j] = momentum * vi.at[j] - step;
      const float move = nesterov ? momentum * vi.at[j] - step : vi.at[j];
      wi.at[j] = wi.at[j] - wi.at[j] * weightDecay * rate + move;
    }
    store(v + i, vi);
    store(w + i, wi);
  });
}
