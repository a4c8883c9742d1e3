// For speed: n fused multiply-adds a thread between one load and one store.
extern "C" __global__ void polynomial(const float *__restrict__ x, float *__restrict__ y, float a, float b, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const float v = x[i];
  float sum = a, other = b;
#pragma unroll 8
  for (int k = 0; k < n; k++) {
    sum = fmaf(sum, v, a);
    other = other * v + sum;
  }
  y[i] = sum + other;
}
