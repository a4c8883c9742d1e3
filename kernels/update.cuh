// What the update kernels share, see update.go: the chunk table and the
// coefficients of a step.
#pragma once

#include "common.cuh"

struct Chunk {
  uint32 offset;  // of its first element in the buffers, a multiple of 4
  int n;          // elements
  uint32 tensor;
};

// chunkOfBlock reads this block's row of the chunk table, which is aligned to 16
// bytes.
__device__ __forceinline__ Chunk chunkOfBlock(const uint32 *chunks) {
  const auto words = load<chunkWords>(chunks + blockIdx.x * chunkWords);
  return {words.at[0], int(words.at[1]), words.at[2]};
}

// coefficientsOfStep reads the row of the state's step from the coefficient
// table, which is aligned to 16 bytes.
__device__ __forceinline__ Pack<float, coefficientWords> coefficientsOfStep(const float *coefficients, const uint32 *state) {
  return load<coefficientWords>(coefficients + uint64(state[stateStep]) * coefficientWords);
}
