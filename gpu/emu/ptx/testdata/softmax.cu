// One warp a row: out = exp(x - max) / sum.
extern "C" __global__ void softmax(const float *__restrict__ x, float *__restrict__ out, int rows, int columns) {
  const int row = (blockIdx.x * blockDim.x + threadIdx.x) >> 5, lane = threadIdx.x & 31;
  if (row >= rows) return;
  x += (size_t)row * columns;
  out += (size_t)row * columns;
  float high = -INFINITY, sum = 0.f;
  for (int c = lane; c < columns; c += 32) high = fmaxf(high, x[c]);
  for (int o = 16; o; o >>= 1) high = fmaxf(high, __shfl_xor_sync(0xffffffffu, high, o));
  for (int c = lane; c < columns; c += 32) sum += expf(x[c] - high);
  for (int o = 16; o; o >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, o);
  for (int c = lane; c < columns; c += 32) out[c] = expf(x[c] - high) / sum;
}
