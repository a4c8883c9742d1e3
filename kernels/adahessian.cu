// AdaHessian and AdaHesScale: see adahessian.go.
#include "update.cuh"

// adahessian_update: see AdaHessianUpdate for the formula. A block updates a
// chunk.
//
//   w, m, v      [elements], updated; no two may alias
//   g, h         [elements]
//   chunks       [blocks, 4], aligned to 16 bytes
//   coefficients [steps, 4], aligned to 16 bytes: rate, alpha, beta
//
// Moves 32 bytes and takes 16 flops an element.
extern "C" __global__ void __launch_bounds__(threads)
adahessian_update(float *__restrict__ w, const float *__restrict__ g, const float *__restrict__ h, float *__restrict__ m,
                  float *__restrict__ v, const uint32 *__restrict__ chunks, const float *__restrict__ coefficients,
                  const uint32 *__restrict__ state, float beta1, float oneMinusBeta1, float beta2, float oneMinusBeta2,
                  float epsilon, float weightDecay) {
  const Chunk chunk = chunkOfBlock(chunks);
  const auto coefficient = coefficientsOfStep(coefficients, state);
  const float rate = coefficient.at[0], alpha = coefficient.at[1], beta = coefficient.at[2];
  w += chunk.offset, g += chunk.offset, h += chunk.offset, m += chunk.offset, v += chunk.offset;
  forEachElement(chunk.n, aligned(w, g, h, m, v), [&](auto width, int i) {
    constexpr int N = width.value;
    auto wi = load<N>(w + i), mi = load<N>(m + i), vi = load<N>(v + i);
    const auto gi = load<N>(g + i), hi = load<N>(h + i);
    for (int j = 0; j < N; j++) {
      mi.at[j] = beta1 * mi.at[j] + oneMinusBeta1 * gi.at[j];
      vi.at[j] = beta2 * vi.at[j] + oneMinusBeta2 * (hi.at[j] * hi.at[j]);
      const float step = alpha * mi.at[j] / (beta * sqrtf(vi.at[j]) + epsilon);
      wi.at[j] -= rate * weightDecay * wi.at[j] + step;
    }
    store(m + i, mi);
    store(v + i, vi);
    store(w + i, wi);
  });
}
