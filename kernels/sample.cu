// Labels drawn from the network's own predictions: see sample.go.
#include "philox.cuh"
#include "softmax.cuh"

// warpSums returns, on each lane, the sum of a value of the lanes up to it, in a
// fixed order.
__device__ __forceinline__ float warpSums(float value) {
  const int lane = threadIdx.x % warpLanes;
  for (int distance = 1; distance < warpLanes; distance *= 2) {
    const float other = __shfl_up_sync(allLanes, value, distance);
    if (lane >= distance) value += other;
  }
  return value;
}

// sample_labels: see SampleLabels. A warp draws a row. A row of logits is read
// three times; all but the first come from the cache.
//
//   logits [rows, classes]
//   labels [rows], written
extern "C" __global__ void __launch_bounds__(threads)
sample_labels(const float *__restrict__ logits, int32 *__restrict__ labels, const uint32 *__restrict__ state, uint64 seed,
              uint32 stream, uint32 draw, int32 rows, int32 classes) {
  const int lane = threadIdx.x % warpLanes;
  const int row = blockIdx.x * rowsPerSoftmaxBlock + threadIdx.x / warpLanes;
  if (row >= rows) return;  // a whole warp
  const float *const x = logits + uint64(row) * classes;
  const float largest = largestOf(x, classes);

  // sums gives each lane the sum of the exponentials up to its class of those
  // that begin at base.
  const auto sums = [&](int base) { return warpSums(base + lane < classes ? expf(x[base + lane] - largest) : 0); };
  float sum = 0;
  for (int base = 0; base < classes; base += warpLanes) sum += __shfl_sync(allLanes, sums(base), warpLanes - 1);
  const uint4 words = philox({uint32(row / 4), draw, state[stateStep], stream}, {uint32(seed), uint32(seed >> 32)});
  const float part = uniform(wordOf(words, row % 4)) * sum;

  float upTo = 0;
  int label = classes - 1;
  for (int base = 0; base < classes; base += warpLanes) {
    const float here = upTo + sums(base);
    const uint32 above = __ballot_sync(allLanes, here > part);
    if (above) {
      label = min(base + __ffs(above) - 1, classes - 1);
      break;
    }
    upTo = __shfl_sync(allLanes, here, warpLanes - 1);
  }
  if (lane == 0) labels[row] = label;
}
