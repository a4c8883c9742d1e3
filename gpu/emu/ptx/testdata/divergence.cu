// Control flow that splits warps: a Collatz walk with breaks and continues in nested loops.
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
