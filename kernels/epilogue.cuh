// What normalizations and the epilogues share: see batchnorm.go and epilogue.go.
#pragma once

#include "common.cuh"

// movingAverage is old - (old - now) (1 - momentum).
__device__ __forceinline__ float movingAverage(float old, float now, float momentum) { return old - (old - now) * (1 - momentum); }

__device__ __forceinline__ float inverseSqrt(float v) { return 1 / sqrtf(v); }

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

// Pooling: see epilogue_pool.go.

// Window is where a pooled row's elements are in y.
struct Window {
  int rows[4];       // of y, in row-major order; a missing pixel repeats one before
  bool right, down;  // whether the window has a second column, a second row
};

__device__ __forceinline__ Window windowOf(uint32 pooledRow, uint32 height, uint32 width) {
  const uint32 pooledHeight = (height + 1) / 2, pooledWidth = (width + 1) / 2;
  const uint32 w = pooledRow % pooledWidth * 2, above = pooledRow / pooledWidth;
  const uint32 h = above % pooledHeight * 2, picture = above / pooledHeight;
  const int first = (picture * height + h) * width + w;
  const bool right = w + 1 < width, down = h + 1 < height;
  const int toRight = right ? 1 : 0, toBelow = down ? width : 0;
  return {{first, first + toRight, first + toBelow, first + toBelow + toRight}, right, down};
}

__device__ __forceinline__ int pooledRowsOf(int pictures, int height, int width) {
  return pictures * ((height + 1) / 2) * ((width + 1) / 2);
}

// Place is where a row of y goes: the pooled row, and its place in that window, 0 to 3.
struct Place {
  int row, position;
};

__device__ __forceinline__ Place placeOf(uint32 row, uint32 height, uint32 width) {
  const uint32 w = row % width, above = row / width, h = above % height, picture = above / height;
  return {int((picture * ((height + 1) / 2) + h / 2) * ((width + 1) / 2) + w / 2), int(h % 2 * 2 + w % 2)};
}
