// What the kernels that look at a row's softmax share.
#pragma once

#include "common.cuh"

// largestOf is the largest of a row of logits, on all lanes of the warp.
__device__ __forceinline__ float largestOf(const float *x, int classes) {
  float largest = -INFINITY;
  for (int c = threadIdx.x % warpLanes; c < classes; c += warpLanes) largest = fmaxf(largest, x[c]);
  for (int distance = warpLanes / 2; distance > 0; distance /= 2) {
    largest = fmaxf(largest, __shfl_xor_sync(allLanes, largest, distance));
  }
  return largest;
}

// Softmax is what a warp knows of a row's softmax.
struct Softmax {
  float largest, sum;
  __device__ __forceinline__ float of(float x) const { return expf(x - largest) / sum; }
};

// softmaxOf looks at a row of logits, with all lanes of the warp.
__device__ __forceinline__ Softmax softmaxOf(const float *x, int classes) {
  const int lane = threadIdx.x % warpLanes;
  Softmax s = {largestOf(x, classes), 0};
  for (int c = lane; c < classes; c += warpLanes) s.sum += expf(x[c] - s.largest);
  s.sum = warpSum(s.sum);
  return s;
}
