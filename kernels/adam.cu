// Adam and AdamW: see adam.go.
#include "update.cuh"

// adam_update: see AdamUpdate for the formula. A block updates a chunk.
//
//   w, m, v      [elements], updated; no two may alias
//   g            [elements]
//   chunks       [blocks, 4], aligned to 16 bytes
//   coefficients [steps, 4], aligned to 16 bytes: rate, alpha
extern "C" __global__ void __launch_bounds__(threads)
adam_update(float *__restrict__ w, const float *__restrict__ g, float *__restrict__ m, float *__restrict__ v,
            const uint32 *__restrict__ chunks, const float *__restrict__ coefficients, const uint32 *__restrict__ state,
            float oneMinusBeta1, float oneMinusBeta2, float epsilon, float weightDecay) {
  const Chunk chunk = chunkOfBlock(chunks);
  const auto coefficient = coefficientsOfStep(coefficients, state);
  const float rate = coefficient.at[0], alpha = coefficient.at[1];
  w += chunk.offset, g += chunk.offset, m += chunk.offset, v += chunk.offset;
  forEachElement(chunk.n, aligned(w, g, m, v), [&](auto width, int i) {
    constexpr int N = width.value;
    auto wi = load<N>(w + i), mi = load<N>(m + i), vi = load<N>(v + i);
    const auto gi = load<N>(g + i);
    for (int j = 0; j < N; j++) {
      mi.at[j] += (gi.at[j] - mi.at[j]) * oneMinusBeta1;
      vi.at[j] += (gi.at[j] * gi.at[j] - vi.at[j]) * oneMinusBeta2;
      wi.at[j] -= wi.at[j] * weightDecay * rate;
      wi.at[j] -= mi.at[j] * alpha / (sqrtf(vi.at[j]) + epsilon);
    }
    store(m + i, mi);
    store(v + i, vi);
    store(w + i, wi);
  });
}
