// Philox4x32-10: see philox.go.
#pragma once

#include "common.cuh"

// philox returns four random words, a pure function of a 128-bit counter and a
// 64-bit key.
__device__ __forceinline__ uint4 philox(uint4 counter, uint2 key) {
  constexpr uint32 multiplier0 = 0xD2511F53, multiplier1 = 0xCD9E8D57;
  constexpr uint32 weyl0 = 0x9E3779B9, weyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; round++) {
    const uint32 high0 = __umulhi(multiplier0, counter.x), low0 = multiplier0 * counter.x;
    const uint32 high1 = __umulhi(multiplier1, counter.z), low1 = multiplier1 * counter.z;
    counter = {high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0};
    key = {key.x + weyl0, key.y + weyl1};
  }
  return counter;
}

// wordOf returns one of four words.
__device__ __forceinline__ uint32 wordOf(uint4 words, int i) {
  return i == 0 ? words.x : i == 1 ? words.y : i == 2 ? words.z : words.w;
}

// uniform turns a random word into a float in [0, 1), a multiple of 2^-24.
__device__ __forceinline__ float uniform(uint32 word) { return (word >> 8) * (1.0f / (1 << 24)); }
