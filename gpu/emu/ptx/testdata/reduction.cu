// One sum a block: shuffles within warps, shared memory between them, then the last block to finish adds the blocks' sums in
// index order (a ticket taken after a fence).
extern "C" __global__ void __launch_bounds__(256) block_sum(const float *__restrict__ x, float *__restrict__ sums, int n) {
  __shared__ float partial[8];
  float v = 0.f;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) v += x[i];
  for (int o = 16; o; o >>= 1) v += __shfl_down_sync(0xffffffffu, v, o);
  if ((threadIdx.x & 31) == 0) partial[threadIdx.x >> 5] = v;
  __syncthreads();
  if (threadIdx.x < 32) {
    v = threadIdx.x < (blockDim.x >> 5) ? partial[threadIdx.x] : 0.f;
    for (int o = 4; o; o >>= 1) v += __shfl_down_sync(0xffffffffu, v, o);
    if (threadIdx.x == 0) sums[blockIdx.x] = v;
  }
}

extern "C" __global__ void __launch_bounds__(256) ticket_sum(const float *__restrict__ x, float *partial, unsigned *ticket, float *total, int n) {
  __shared__ bool last;
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  float v = i < n ? x[i] : 0.f;
  for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
  if ((threadIdx.x & 31) == 0) partial[blockIdx.x * 8 + (threadIdx.x >> 5)] = v;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) last = atomicAdd(ticket, 1u) == gridDim.x - 1;
  __syncthreads();
  if (!last) return;
  __threadfence();
  if (threadIdx.x == 0) {
    float sum = 0.f;
    for (unsigned b = 0; b < gridDim.x * 8; b++) sum += ((volatile float *)partial)[b];
    *total = sum;
    *ticket = 0;
  }
}
