// What the epilogues with and without pooling share: see epilogue.go.
#pragma once

#include "common.cuh"

// normalized is z, from the deviation y - mean.
__device__ __forceinline__ float normalized(float deviation, float scale, float beta) { return deviation * scale + beta; }

// derivative is that of LeakyReLU at z; LeakyReLU is derivative(z) z.
__device__ __forceinline__ float derivative(float z, float slope) { return z > 0 ? 1 : slope; }

// dropped is the factor of inverted dropout where the mask is 1 or 0.
__device__ __forceinline__ float dropped(uint8 mask, float keep) { return mask & 1 ? keep : 0; }

// loadMask reads a pack of a mask that may be null: keep all.
template <int N>
__device__ __forceinline__ Pack<uint8, N> loadMask(const uint8 *mask, uint64 at) {
  return mask ? load<N>(mask + at) : Pack<uint8, N>{};
}
