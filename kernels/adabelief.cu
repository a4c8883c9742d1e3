// AdaBelief: see adabelief.go.
#include "update.cuh"

// adabelief_update: see AdaBeliefUpdate for the formula. A block updates a chunk.
//
//   w, m, v      [elements], updated; no two may alias
//   g            [elements]
//   chunks       [blocks, 4], aligned to 16 bytes
//   coefficients [steps, 4], aligned to 16 bytes: rate, bias1, bias2, rectification
//
// Moves 28 bytes and takes 18 flops an element.
extern "C" __global__ void __launch_bounds__(threads)
adabelief_update(float *__restrict__ w, const float *__restrict__ g, float *__restrict__ m, float *__restrict__ v,
                 const uint32 *__restrict__ chunks, const float *__restrict__ coefficients, const uint32 *__restrict__ state,
                 float beta1, float oneMinusBeta1, float beta2, float oneMinusBeta2, float epsilon, float weightDecay) {
  const Chunk chunk = chunkOfBlock(chunks);
  const auto coefficient = coefficientsOfStep(coefficients, state);
  const float rate = coefficient.at[0], bias1 = coefficient.at[1], bias2 = coefficient.at[2], rectification = coefficient.at[3];
  w += chunk.offset, g += chunk.offset, m += chunk.offset, v += chunk.offset;
  forEachElement(chunk.n, aligned(w, g, m, v), [&](auto width, int i) {
    constexpr int N = width.value;
    auto wi = load<N>(w + i), mi = load<N>(m + i), vi = load<N>(v + i);
    const auto gi = load<N>(g + i);
    for (int j = 0; j < N; j++) {
      mi.at[j] = beta1 * mi.at[j] + oneMinusBeta1 * gi.at[j];
      const float belief = gi.at[j] - mi.at[j];
      vi.at[j] = beta2 * vi.at[j] + oneMinusBeta2 * (belief * belief) + epsilon;
      float s = mi.at[j] / bias1;
      if (rectification != 0) s = rectification * s / (sqrtf(vi.at[j] / bias2) + epsilon);
      wi.at[j] -= rate * (s + weightDecay * wi.at[j]);
    }
    store(m + i, mi);
    store(v + i, vi);
    store(w + i, wi);
  });
}
