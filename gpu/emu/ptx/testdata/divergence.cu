// Control flow that splits warps: a Collatz walk with breaks and continues in nested loops, and a switch.
extern "C" __global__ void collatz(const unsigned *start, unsigned *steps, int n, unsigned limit) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  unsigned v = start[i], count = 0;
  while (v != 1) {
    if (count == limit) break;
    count++;
    if (v & 1) {
      v = 3 * v + 1;
      continue;
    }
    do v >>= 1;
    while (!(v & 1) && ++count < limit);
  }
  steps[i] = count;
}

extern "C" __global__ void choose(const int *which, float *values, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float v = values[i];
  switch (which[i]) {
    case 0: v = v * v; break;
    case 1: v = sqrtf(v);  // falls through
    case 2: v += 1.f; break;
    case 3: for (int k = 0; k < i % 5; k++) v *= 0.5f; break;
    case 4: values[i] = -1.f; return;
    case 5: v = sinf(v); break;
    default: v = 0.f;
  }
  values[i] = v;
}
