// y = a*x + y over n elements, grid-stride.
extern "C" __global__ void saxpy(const float *__restrict__ x, float *__restrict__ y, float a, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) y[i] = a * x[i] + y[i];
}
