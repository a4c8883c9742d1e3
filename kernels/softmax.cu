// The loss and what is measured of a batch: see softmax.go for the formulas.
#include "common.cuh"

// softmax_cross_entropy: see SoftmaxCrossEntropy. A warp does a row. A row of
// logits is read three times; all but the first come from the cache.
//
//   logits      [rows, classes]
//   labels      [rows]
//   dLogits     [rows, classes], written, or null
//   rowLoss     [rows], written
//   prediction  [rows], written
extern "C" __global__ void __launch_bounds__(threads)
softmax_cross_entropy(const float *__restrict__ logits, const int32 *__restrict__ labels, float *__restrict__ dLogits,
                      float *__restrict__ rowLoss, int32 *__restrict__ prediction, int32 rows, int32 classes, float smoothing) {
  const int lane = threadIdx.x % warpLanes;
  const int row = blockIdx.x * rowsPerSoftmaxBlock + threadIdx.x / warpLanes;
  if (row >= rows) return;  // a whole warp
  const float *const x = logits + uint64(row) * classes;
  const int label = labels[row];
  const float background = smoothing / classes;

  // The largest logit, of equals the first. A lane without a class has none.
  float largest = lane < classes ? x[lane] : -INFINITY;
  int best = lane;
  for (int c = lane + warpLanes; c < classes; c += warpLanes) {
    if (x[c] > largest) {
      largest = x[c];
      best = c;
    }
  }
  for (int distance = warpLanes / 2; distance > 0; distance /= 2) {
    const float other = __shfl_xor_sync(allLanes, largest, distance);
    const int otherBest = __shfl_xor_sync(allLanes, best, distance);
    if (other > largest || (other == largest && otherBest < best)) {
      largest = other;
      best = otherBest;
    }
  }

  // sum is of exp(x - largest) and offTarget of the background's x - largest.
  float sum = 0, offTarget = 0;
  for (int c = lane; c < classes; c += warpLanes) {
    sum += expf(x[c] - largest);
    offTarget += x[c] - largest;
  }
  sum = warpSum(sum);
  offTarget = warpSum(offTarget);
  if (lane == 0) {
    rowLoss[row] = logf(sum) - (1 - smoothing) * (x[label] - largest) - background * offTarget;
    prediction[row] = best;
  }
  if (!dLogits) return;
  float *const d = dLogits + uint64(row) * classes;
  for (int c = lane; c < classes; c += warpLanes) {
    const float target = c == label ? background + (1 - smoothing) : background;
    d[c] = (expf(x[c] - largest) / sum - target) / rows;
  }
}

// batch_metrics: see BatchMetrics. One block does the batch. Atomics are on
// integers, whose sum has no order.
//
//   rowLoss, prediction, labels  [rows]
//   loss, correct                [batches of a pass], one of each written
//   confusion                    [classes, classes], += 1 at (label, prediction)
extern "C" __global__ void __launch_bounds__(threads)
batch_metrics(const float *__restrict__ rowLoss, const int32 *__restrict__ prediction, const int32 *__restrict__ labels,
              const uint32 *__restrict__ state, float *__restrict__ loss, uint32 *__restrict__ correct,
              uint32 *__restrict__ confusion, int32 rows, int32 classes) {
  double lossSum = 0;
  uint32 right = 0;
  for (int row = threadIdx.x; row < rows; row += threads) {
    const int label = labels[row], predicted = prediction[row];
    lossSum += rowLoss[row];
    right += label == predicted;
    atomicAdd(&confusion[label * classes + predicted], 1);
  }
  const auto add = [](auto a, auto b) { return a + b; };
  lossSum = blockReduce(lossSum, add);
  right = blockReduce(right, add);
  if (threadIdx.x == 0) {
    const uint32 batch = state[stateBatch];
    loss[batch] = lossSum / rows;
    correct[batch] = right;
  }
}
