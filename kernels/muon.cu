// Muon: see muon.go.
#include "update.cuh"

constexpr int squareWords = 2;  // of a square matrix

// blockSum returns the sum of a value of each thread, on every thread.
__device__ __forceinline__ float blockSum(double value) {
  return blockReduce(value, [](double a, double b) { return a + b; });
}

// lookAhead is U from the new momentum.
__device__ __forceinline__ float lookAhead(float g, float m, float ahead) { return m + (g - m) * ahead; }

// muon_momentum: see MuonMomentum. A block does a chunk.
//
//   g       [elements]
//   m       [elements], updated
//   chunks  [blocks, 4], aligned to 16 bytes
//   partial [blocks], written
extern "C" __global__ void __launch_bounds__(threads)
muon_momentum(const float *__restrict__ g, float *__restrict__ m, const uint32 *__restrict__ chunks, float *__restrict__ partial,
              float oneMinusMomentum, float ahead) {
  const Chunk chunk = chunkOfBlock(chunks);
  g += chunk.offset, m += chunk.offset;
  double sum = 0;
  forEachElement(chunk.n, aligned(g, m), [&](auto width, int i) {
    constexpr int N = width.value;
    const auto gi = load<N>(g + i);
    auto mi = load<N>(m + i);
    for (int j = 0; j < N; j++) {
      mi.at[j] += (gi.at[j] - mi.at[j]) * oneMinusMomentum;
      const double u = lookAhead(gi.at[j], mi.at[j], ahead);
      sum += u * u;
    }
    store(m + i, mi);
  });
  const float total = blockSum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = total;
}

// muon_normalize: see MuonNormalize. A block does a chunk.
//
//   g, m    [elements]
//   partial [blocks]
//   chunks  [blocks, 4], aligned to 16 bytes
//   first   [matrices + 1]: each matrix's first chunk
//   x       [elements], written
extern "C" __global__ void __launch_bounds__(threads)
muon_normalize(const float *__restrict__ g, const float *__restrict__ m, const float *__restrict__ partial,
               const uint32 *__restrict__ chunks, const uint32 *__restrict__ first, float *__restrict__ x, float ahead, float epsilon) {
  const Chunk chunk = chunkOfBlock(chunks);
  const uint32 end = first[chunk.tensor + 1];
  double sum = 0;
  for (uint32 i = first[chunk.tensor] + threadIdx.x; i < end; i += threads) sum += partial[i];
  const float norm = sqrtf(blockSum(sum)) + epsilon;
  g += chunk.offset, m += chunk.offset, x += chunk.offset;
  forEachElement(chunk.n, aligned(g, m, x), [&](auto width, int i) {
    constexpr int N = width.value;
    const auto gi = load<N>(g + i), mi = load<N>(m + i);
    Pack<float, N> xi;
    for (int j = 0; j < N; j++) xi.at[j] = lookAhead(gi.at[j], mi.at[j], ahead) / norm;
    store(x + i, xi);
  });
}

// muon_polynomial: see MuonPolynomial. A block does a chunk.
//
//   gram    [elements]
//   square  [elements], updated
//   chunks  [blocks, 4], aligned to 16 bytes
//   squares [matrices, 2]: offset, side
extern "C" __global__ void __launch_bounds__(threads)
muon_polynomial(const float *__restrict__ gram, float *__restrict__ square, const uint32 *__restrict__ chunks,
                const uint32 *__restrict__ squares, float a0, float a1, float a2) {
  const Chunk chunk = chunkOfBlock(chunks);
  const uint32 apart = squares[squareWords * chunk.tensor + 1] + 1;  // elements of the diagonal
  const uint32 past = chunk.offset - squares[squareWords * chunk.tensor];
  gram += chunk.offset, square += chunk.offset;
  forEachElement(chunk.n, aligned(gram, square), [&](auto width, int i) {
    constexpr int N = width.value;
    const auto gi = load<N>(gram + i);
    auto si = load<N>(square + i);
    for (int j = 0; j < N; j++) {
      si.at[j] = a1 * gi.at[j] + a2 * si.at[j];
      if ((past + i + j) % apart == 0) si.at[j] += a0;
    }
    store(square + i, si);
  });
}

// muon_update: see MuonUpdate. A block updates a chunk.
//
//   w, m, v      [elements], updated; no two may alias
//   g            [elements]
//   x            [elements], or null where all scales are 0
//   chunks       [blocks, 4], aligned to 16 bytes
//   scales       [tensors]
//   coefficients [steps, 4], aligned to 16 bytes: rate, AdamW's rate, alpha, beta
extern "C" __global__ void __launch_bounds__(threads)
muon_update(float *__restrict__ w, const float *__restrict__ g, float *__restrict__ m, float *__restrict__ v,
            const float *__restrict__ x, const uint32 *__restrict__ chunks, const float *__restrict__ scales,
            const float *__restrict__ coefficients, const uint32 *__restrict__ state, float oneMinusBeta1, float oneMinusBeta2,
            float epsilon, float weightDecay) {
  const Chunk chunk = chunkOfBlock(chunks);
  const auto coefficient = coefficientsOfStep(coefficients, state);
  const float scale = scales[chunk.tensor];
  w += chunk.offset;
  if (scale != 0) {
    const float rate = coefficient.at[0], step = scale * rate;
    x += chunk.offset;
    forEachElement(chunk.n, aligned(w, x), [&](auto width, int i) {
      constexpr int N = width.value;
      auto wi = load<N>(w + i);
      const auto xi = load<N>(x + i);
      for (int j = 0; j < N; j++) {
        wi.at[j] -= wi.at[j] * weightDecay * rate;
        wi.at[j] -= xi.at[j] * step;
      }
      store(w + i, wi);
    });
    return;
  }
  const float rate = coefficient.at[1], alpha = coefficient.at[2], beta = coefficient.at[3];
  g += chunk.offset, m += chunk.offset, v += chunk.offset;
  forEachElement(chunk.n, aligned(w, g, m, v), [&](auto width, int i) {
    constexpr int N = width.value;
    auto wi = load<N>(w + i), mi = load<N>(m + i), vi = load<N>(v + i);
    const auto gi = load<N>(g + i);
    for (int j = 0; j < N; j++) {
      mi.at[j] += (gi.at[j] - mi.at[j]) * oneMinusBeta1;
      vi.at[j] += (gi.at[j] * gi.at[j] - vi.at[j]) * oneMinusBeta2;
      wi.at[j] -= wi.at[j] * weightDecay * rate;
      wi.at[j] -= mi.at[j] * alpha / (beta * sqrtf(vi.at[j]) + epsilon);
    }
    store(m + i, mi);
    store(v + i, vi);
    store(w + i, wi);
  });
}
