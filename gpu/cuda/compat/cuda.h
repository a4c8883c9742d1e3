// The toolkit's cuda.h with the signatures that gorgonia.org/cu v0.9.6 was
// written for, those of CUDA 11. CUDA 13 gave five names to newer functions; the
// driver still has the older ones, which are what a program built with CUDA 12
// calls. For CUDA 11 and 12 this changes nothing.
//
// This directory comes first on the include path, see the Makefile.
#ifndef DIAGHESS_COMPAT_CUDA_H
#define DIAGHESS_COMPAT_CUDA_H
#include_next <cuda.h>

#ifndef CUDA_VERSION
#error "no CUDA toolkit's cuda.h behind gpu/cuda/compat: build with make build-cuda"
#endif

#if CUDA_VERSION >= 13000
#undef cuCtxCreate
#define cuCtxCreate cuCtxCreate_v2
CUresult CUDAAPI cuCtxCreate_v2(CUcontext *context, unsigned int flags, CUdevice device);

#undef cuMemAdvise
CUresult CUDAAPI cuMemAdvise(CUdeviceptr address, size_t bytes, CUmem_advise advice, CUdevice device);

#undef cuMemPrefetchAsync
CUresult CUDAAPI cuMemPrefetchAsync(CUdeviceptr address, size_t bytes, CUdevice destination, CUstream stream);

#undef cuGraphAddDependencies
CUresult CUDAAPI cuGraphAddDependencies(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, size_t count);

#undef cuGraphGetEdges
CUresult CUDAAPI cuGraphGetEdges(CUgraph graph, CUgraphNode *from, CUgraphNode *to, size_t *count);
#endif
#endif
