// What the kernels share: launch geometry, 16-byte packs, the walk over rows and
// channels, and reductions.
//
// Rules that every kernel keeps, as the Go bodies do: a product that is added is
// rounded first (-fmad=false), division and square root are IEEE's, a sum has a
// fixed order, and no two blocks write the same memory.
#pragma once

using uint8 = unsigned char;
using int32 = int;
using uint32 = unsigned int;
using uint64 = unsigned long long;

// Launch geometry and table layouts. launch.go, update.go, dropout.go,
// initialize.go, hutchinson.go and state.go say what they mean; a test holds them against each
// other.
constexpr int threads = 256;
constexpr int elementsPerBlock = 4096;
constexpr int elementsPerChunk = 8192;
constexpr int channelsPerBlock = 32;
constexpr int columnRows = 128;
constexpr int rowsPerSoftmaxBlock = 8;
constexpr int chunkWords = 4;
constexpr int coefficientWords = 4;
constexpr int dropoutSegmentWords = 8;
constexpr int initialSegmentWords = 8;
constexpr int signsPerCall = 128;
constexpr int stateStep = 0;
constexpr int stateBatch = 1;
constexpr int stateSample = 2;
constexpr int statePass = 3;

constexpr int warpLanes = 32;
constexpr int warpsPerBlock = 8;
constexpr uint32 allLanes = 0xffffffff;

// blocksOf returns how many blocks of the given size cover n.
__device__ __forceinline__ int blocksOf(int n, int size) { return (n + size - 1) / size; }

// rowsPerBlock is how many rows an elementwise kernel's block works on.
__device__ __forceinline__ int rowsPerBlock(int channels) { return max(1, elementsPerBlock / channels); }

// rowsPerChunk is how many rows the first stage of a reduction sums.
__device__ __forceinline__ int rowsPerChunk(int channels) { return max(1, elementsPerChunk / channels); }

// Packs. A thread handles N neighbouring elements at once, 4 where shapes and
// alignment allow and else 1, in one access of up to 16 bytes. A body is written
// for any N and gets it as the type of an argument, Width<N>.

template <int N>
struct Width {
  static constexpr int value = N;
};

template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
  T at[N];
};

template <int N, class T>
__device__ __forceinline__ Pack<T, N> load(const T *from) {
  return *reinterpret_cast<const Pack<T, N> *>(from);
}

template <int N, class T>
__device__ __forceinline__ void store(T *to, const Pack<T, N> &pack) {
  *reinterpret_cast<Pack<T, N> *>(to) = pack;
}

// aligned says whether all pointers are to packs of 4. Null is.
template <class... T>
__device__ __forceinline__ bool aligned(const T *...pointers) {
  return (... && (reinterpret_cast<uint64>(pointers) % (4 * sizeof(T)) == 0));
}

// forEachElement calls body(Width<N>(), i) for packs that begin at i until they
// have held all elements 0 to n-1, with threads side by side.
template <class Body>
__device__ __forceinline__ void forEachElement(int n, bool packs, Body body) {
  const int packed = packs ? n & ~3 : 0;
#pragma unroll 2
  for (int i = 4 * threadIdx.x; i < packed; i += 4 * threads) body(Width<4>(), i);
#pragma unroll 1
  for (int i = packed + threadIdx.x; i < n; i += threads) body(Width<1>(), i);
}

// Rows and channels. A block works on the rows first to last-1 of a tensor
// [rows, channels]: each thread keeps to a column of packs, so that what it
// needs of a channel stays in registers, and threads side by side read memory
// side by side. Rows that are longer than maxLanes packs are walked in strips.

constexpr int maxLanes = 128;

struct Rows {
  int first, last;
};

// rowsOfBlock returns the rows of this block when each has perBlock of them.
__device__ __forceinline__ Rows rowsOfBlock(int rows, int perBlock) {
  const int first = blockIdx.x * perBlock;
  return {first, min(first + perBlock, rows)};
}

// Column is a thread's place in a strip. Without one it has no rows.
struct Column {
  bool active;        // false: the thread has no place
  int channel;        // the first of its pack
  int lane, lanes;    // the column in its strip; columns in a strip
  int group, groups;  // first row less the block's; rows side by side
  int first, last;    // its rows are first, first + groups, ... to last-1
};

template <int N, class Body>
__device__ __forceinline__ void forEachStrip(Rows rows, int channels, Body body) {
  const int columns = channels / N;
  const int lanes = min(columns, maxLanes);
  const int groups = threads / lanes;
  const int lane = threadIdx.x % lanes, group = threadIdx.x / lanes;
  for (int strip = 0; strip < columns; strip += lanes) {
    const bool active = group < groups && strip + lane < columns;
    const int first = active ? rows.first + group : rows.last;
    body(Width<N>(), Column{active, (strip + lane) * N, lane, lanes, group, groups, first, rows.last});
  }
}

// forEachColumn calls body(Width<N>(), column) for each strip of columns, by all
// threads of the block at once.
template <class Body>
__device__ __forceinline__ void forEachColumn(Rows rows, int channels, bool packs, Body body) {
  if (packs && channels % 4 == 0) {
    forEachStrip<4>(rows, channels, body);
  } else {
    forEachStrip<1>(rows, channels, body);
  }
}

// perChannel gives each active thread its column's packs of Count arrays
// [channels]. Each is read from memory once a block.
template <int N, int Count>
__device__ __forceinline__ void perChannel(const Column &column, const float *const (&arrays)[Count], Pack<float, N> (&packs)[Count]) {
  __shared__ Pack<float, N> shared[Count][maxLanes];
  __syncthreads();  // the strip before has been read
  if (column.group == 0 && column.active) {
    for (int i = 0; i < Count; i++) shared[i][column.lane] = load<N>(arrays[i] + column.channel);
  }
  __syncthreads();
  if (column.active) {
    for (int i = 0; i < Count; i++) packs[i] = shared[i][column.lane];
  }
}

// Sums are two sums for each channel of a pack.
template <int N>
struct Sums {
  Pack<float, N> first, second;
};

// sumColumn adds up the sums of all threads of a column, in a tree of fixed
// order; group 0 gets the result.
template <int N>
__device__ __forceinline__ void sumColumn(const Column &column, Sums<N> &sums) {
  __shared__ Pack<float, N> first[threads], second[threads];
  first[threadIdx.x] = sums.first;
  second[threadIdx.x] = sums.second;
  __syncthreads();
  for (int n = column.groups; n > 1;) {
    const int half = (n + 1) / 2;
    if (column.group + half < n) {
      const int other = threadIdx.x + half * column.lanes;
      for (int i = 0; i < N; i++) {
        sums.first.at[i] += first[other].at[i];
        sums.second.at[i] += second[other].at[i];
      }
      first[threadIdx.x] = sums.first;
      second[threadIdx.x] = sums.second;
    }
    __syncthreads();
    n = half;
  }
}

// warpSum returns the sum of a value of each lane, in a fixed order, on all lanes.
__device__ __forceinline__ float warpSum(float value) {
  for (int distance = warpLanes / 2; distance > 0; distance /= 2) value += __shfl_xor_sync(allLanes, value, distance);
  return value;
}

// sumWarps adds up, in order, a value of each warp for each lane; warp 0 gets the
// sums.
__device__ __forceinline__ double sumWarps(double value, double (&shared)[warpsPerBlock][warpLanes]) {
  const int warp = threadIdx.x / warpLanes, lane = threadIdx.x % warpLanes;
  shared[warp][lane] = value;
  __syncthreads();
  if (warp == 0) {
    for (int other = 1; other < warpsPerBlock; other++) value += shared[other][lane];
  }
  return value;
}

// blockReduce combines a value of each thread of the block in a fixed order and
// returns the result on every thread.
template <class T, class Operation>
__device__ __forceinline__ T blockReduce(T value, Operation combine) {
  __shared__ T shared[warpsPerBlock];
  for (int distance = warpLanes / 2; distance > 0; distance /= 2) {
    value = combine(value, __shfl_xor_sync(allLanes, value, distance));
  }
  if (threadIdx.x % warpLanes == 0) shared[threadIdx.x / warpLanes] = value;
  __syncthreads();
  value = shared[0];
  for (int warp = 1; warp < warpsPerBlock; warp++) value = combine(value, shared[warp]);
  __syncthreads();  // shared may be used again
  return value;
}
