// What kernels are written with: the arithmetic, comparisons, conversions and functions of plain C on integers and floats,
// vector accesses, shuffles, votes, shared memory and atomics. The test asks only that the parser takes all of it.
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;
#define KERNEL(name, ...) extern "C" __global__ void __launch_bounds__(256) name(__VA_ARGS__, int n)
#define GUARD \
  const int i = blockIdx.x * blockDim.x + threadIdx.x; \
  if (i >= n) return

KERNEL(ints, int *a, const int *b) {
  GUARD;
  int x = a[i], y = b[i];
  a[i] = x / (y | 1) + x % 7 + (x < y ? x : y) + max(x, 3) - abs(y) + (x << 3) + (x >> y) + (x & y) + (x | y) * (x ^ y) + ~x;
}

KERNEL(uints, u32 *a, const u32 *b) {
  GUARD;
  u32 x = a[i], y = b[i];
  a[i] = x / (y | 1) + x % (y | 3) + (x << (y & 31) | x >> (32 - (y & 31))) + (x << 7 | x >> 25) + __popc(x) + __clz(y) + min(x, y) +
         __umulhi(x, y) + x / 10 + (x >> 8 & 0xff) + __brev(x) + __ffs(y);
}

KERNEL(longs, u64 *a, const u64 *b, s64 *c) {
  GUARD;
  u64 x = a[i], y = b[i];
  s64 z = c[i];
  a[i] = x / (y | 1) + x % 1000 + (x << (y & 63)) + (x >> 3) + min(x, y) + __popcll(x) + __clzll(y);
  c[i] = z / ((s64)y | 1) + z % 17 + (z >> 5) + max(z, (s64)3) + llabs(z) + (z < (s64)y) + __umul64hi(x, y) + __mul64hi(z, z);
}

KERNEL(floats, float *a, const float *b) {
  GUARD;
  float x = a[i], y = b[i];
  a[i] = x / y + sqrtf(fabsf(x)) + fmaf(x, y, 1.f) + fminf(x, y) + fmaxf(x, 2.f) + floorf(x) + ceilf(y) + rintf(x) + truncf(y) + roundf(x) +
         (x > y ? x : -y) + (isnan(x) ? 1 : 0) + (isinf(y) ? 2 : 0) + copysignf(x, y) + (float)(int)x + (float)(u32)y + fdimf(x, y) +
         __saturatef(x);
}

KERNEL(functions, float *a, const float *b) {
  GUARD;
  float x = a[i], y = b[i];
  a[i] = expf(x) + logf(y) + rsqrtf(x) + tanhf(y) + powf(x, y) + log1pf(x) + expm1f(y) + exp2f(x) + log2f(y) + erff(x) + __expf(x) + __logf(y) +
         cbrtf(x) + fmodf(x, y) + sinpif(x) + __sinf(y) + __fdividef(x, y) + hypotf(x, y) + ldexpf(x, 3);
}

KERNEL(doubles, double *a, float *b) {
  GUARD;
  double x = a[i];
  a[i] = x / 3 + sqrt(x) + fma(x, x, 1.) + fmin(x, 2.) + fabs(x) + floor(x) + (double)b[i] + (x > 1 ? x : -x) + (int)x + (double)(s64)x +
         (double)(u64)x + exp(x) + log(x) + rsqrt(x);
  b[i] = (float)x;
}

KERNEL(bytes, u8 *a, signed char *b, u16 *c, short *d) {
  GUARD;
  a[i] = a[i] * 2 + b[i];
  b[i] = a[i] >> 1;
  c[i] = c[i] + d[i];
  d[i] = c[i] < 7 ? d[i] : -d[i];
  if (a[i] && !b[i]) c[i] = a[i] | b[i];
}

KERNEL(vectors, float4 *a, uchar4 *b, uint2 *c, double2 *d) {
  GUARD;
  float4 v = a[i];
  uchar4 u = b[i];
  a[i] = make_float4(v.x + u.x, v.y * u.y, v.z - u.z, u.w);
  b[i] = make_uchar4(v.x, v.y, v.z, v.w);
  c[i].x ^= c[i].y;
  d[i].x += d[i].y;
}

KERNEL(warps, float *a, u32 *b) {
  float v = a[threadIdx.x];
  for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(~0u, v, o);
  v += __shfl_up_sync(~0u, v, 1) + __shfl_sync(~0u, v, 0, 8) + (float)__shfl_down_sync(~0u, (double)v, 2);
  b[threadIdx.x] = __ballot_sync(~0u, v > 1) + __any_sync(~0u, v > 2) + __all_sync(~0u, v > 3) + __activemask();
  __syncwarp();
  a[threadIdx.x] = v;
}

KERNEL(shared, float *a) {
  __shared__ float tile[256];
  tile[threadIdx.x] = a[threadIdx.x];
  __syncthreads();
  a[threadIdx.x] = tile[255 - threadIdx.x];
}

KERNEL(atomics, u32 *a, int *b) {
  GUARD;
  atomicAdd(a, 1u);
  atomicMax(b, i);
  atomicMin(b + 1, i);
  const u32 old = atomicExch(a + 1, (u32)i);
  a[2 + i] = atomicCAS(a + 2, old, 7u);
}

KERNEL(conversions, float *a, int *b, u32 *c, s64 *d, double *e) {
  GUARD;
  b[i] = __float2int_rn(a[i]);
  c[i] = __float2uint_rz(a[i]);
  d[i] = (s64)a[i];
  e[i] = __longlong_as_double(__double_as_longlong(e[i]) >> 1);
  a[i] = (float)d[i] + (float)(u64)d[i] + (float)(u8)c[i] + (float)(short)b[i] + __int_as_float(__float_as_int(a[i]) ^ 0x80000000) + __double2hiint(e[i]);
}
