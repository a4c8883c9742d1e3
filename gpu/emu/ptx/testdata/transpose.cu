// out[c][r] = in[r][c] through a 32x32 tile of shared memory; the extra column keeps banks free of conflicts.
extern "C" __global__ void __launch_bounds__(256) transpose(const float *__restrict__ in, float *__restrict__ out, int rows, int columns) {
  __shared__ float tile[32][33];
  int c = blockIdx.x * 32 + threadIdx.x, r = blockIdx.y * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8)
    if (r + j < rows && c < columns) tile[threadIdx.y + j][threadIdx.x] = in[(size_t)(r + j) * columns + c];
  __syncthreads();
  c = blockIdx.y * 32 + threadIdx.x, r = blockIdx.x * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8)
    if (r + j < columns && c < rows) out[(size_t)(r + j) * rows + c] = tile[threadIdx.x][threadIdx.y + j];
}
