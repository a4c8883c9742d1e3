// The rule of optim.DiagHess: see diaghess.go for the formulas.
#include "update.cuh"

// curvature returns n = c2 g^2 + c1 h, 0 where that is not finite.
__device__ __forceinline__ float curvature(float g, float h, float c1, float c2) {
  const float n = c2 * (g * g) + c1 * h;
  return isfinite(n) ? n : 0;
}

// diaghess_minimum: see DiagHessMinimum. A block finds the minimum of n over a
// chunk.
//
//   g, h    [elements]
//   chunks  [blocks, 4], aligned to 16 bytes
//   minimum [blocks], written
extern "C" __global__ void __launch_bounds__(threads)
diaghess_minimum(const float *__restrict__ g, const float *__restrict__ h, const uint32 *__restrict__ chunks,
                 float *__restrict__ minimum, float c1, float c2) {
  const Chunk chunk = chunkOfBlock(chunks);
  g += chunk.offset, h += chunk.offset;
  float least = INFINITY;
  forEachElement(chunk.n, aligned(g, h), [&](auto width, int i) {
    constexpr int N = width.value;
    const auto gi = load<N>(g + i), hi = load<N>(h + i);
    for (int j = 0; j < N; j++) least = fminf(least, curvature(gi.at[j], hi.at[j], c1, c2));
  });
  least = blockReduce(least, fminf);
  if (threadIdx.x == 0) minimum[blockIdx.x] = least;
}

// diaghess_lambda: see DiagHessLambda. A block finds lam of a tensor.
//
//   minimum [chunks]
//   first   [tensors + 1]: each tensor's first chunk
//   lambda  [tensors], written
extern "C" __global__ void __launch_bounds__(threads)
diaghess_lambda(const float *__restrict__ minimum, const uint32 *__restrict__ first, float *__restrict__ lambda, float lambda0) {
  const uint32 end = first[blockIdx.x + 1];
  float least = INFINITY;
  for (uint32 chunk = first[blockIdx.x] + threadIdx.x; chunk < end; chunk += threads) least = fminf(least, minimum[chunk]);
  least = blockReduce(least, fminf);
  if (threadIdx.x == 0) lambda[blockIdx.x] = fmaxf(0, -least) + lambda0;
}

// diaghess_update: see DiagHessUpdate. A block updates a chunk.
//
//   w, m, v      [elements], updated; no two may alias
//   g            [elements]
//   h            [elements], or null: 0
//   chunks       [blocks, 4], aligned to 16 bytes
//   lambda       [tensors], or null: lambda0
//   coefficients [steps, 4], aligned to 16 bytes: alpha, beta
extern "C" __global__ void __launch_bounds__(threads)
diaghess_update(float *__restrict__ w, const float *__restrict__ g, const float *__restrict__ h, float *__restrict__ m,
                float *__restrict__ v, const uint32 *__restrict__ chunks, const float *__restrict__ lambda,
                const float *__restrict__ coefficients, const uint32 *__restrict__ state, float c1, float c2, float lambda0,
                float beta1, float oneMinusBeta1, float beta2, float oneMinusBeta2, float epsilon) {
  const Chunk chunk = chunkOfBlock(chunks);
  const auto coefficient = coefficientsOfStep(coefficients, state);
  const float alpha = coefficient.at[0], beta = coefficient.at[1];
  const float lam = lambda ? lambda[chunk.tensor] : lambda0;
  const bool curved = h;
  w += chunk.offset, g += chunk.offset, m += chunk.offset, v += chunk.offset;
  if (curved) h += chunk.offset;
  forEachElement(chunk.n, aligned(w, g, h, m, v), [&](auto width, int i) {
    constexpr int N = width.value;
    auto wi = load<N>(w + i), mi = load<N>(m + i), vi = load<N>(v + i);
    const auto gi = load<N>(g + i);
    const auto hi = curved ? load<N>(h + i) : Pack<float, N>{};
    for (int j = 0; j < N; j++) {
      const float n = curvature(gi.at[j], hi.at[j], c1, c2);
      const float d = gi.at[j] * c1 / (n + lam);
      mi.at[j] = beta1 * mi.at[j] + oneMinusBeta1 * d;
      vi.at[j] = beta2 * vi.at[j] + oneMinusBeta2 * (n * n);
      wi.at[j] -= alpha * mi.at[j] / (beta * sqrtf(vi.at[j]) + epsilon);
    }
    store(m + i, mi);
    store(v + i, vi);
    store(w + i, wi);
  });
}
