//go:build cuda

#include <malloc.h>
#include <stdlib.h>

#include "_cgo_export.h"
#include "standin.h"

static __thread uintptr_t current;

uintptr_t standin_current(void) { return current; }
void standin_make_current(uintptr_t context) { current = context; }
uintptr_t standin_thread(void) { return (uintptr_t)&current; }

size_t standin_room(void *pointers) { return malloc_usable_size(pointers) / sizeof(void *); }

void *standin_pinned(size_t bytes) {
  const size_t page = 4096;
  return aligned_alloc(page, (bytes + page - 1) / page * page);
}

#define X(name) {#name, (void *)standin_##name},
static const struct standin_function functions[] = {
    X(cuInit) X(cuDriverGetVersion) X(cuGetErrorString)
    X(cuDeviceGetCount) X(cuDeviceGet) X(cuDeviceGetName) X(cuDeviceTotalMem_v2) X(cuDeviceGetAttribute)
    X(cuDevicePrimaryCtxSetFlags_v2) X(cuDevicePrimaryCtxRetain) X(cuDevicePrimaryCtxRelease_v2)
    X(cuCtxSetCurrent) X(cuCtxGetCurrent) X(cuCtxSynchronize)
    X(cuProfilerStart) X(cuProfilerStop)
    X(cuModuleLoadData) X(cuModuleLoadDataEx) X(cuModuleUnload) X(cuModuleGetFunction) X(cuLaunchKernel)
    X(cuMemGetInfo_v2) X(cuMemAlloc_v2) X(cuMemFree_v2) X(cuMemHostAlloc) X(cuMemFreeHost)
    X(cuMemcpyHtoD_v2) X(cuMemcpyDtoH_v2)
    X(cuMemcpyHtoDAsync_v2) X(cuMemcpyDtoHAsync_v2)
    X(cuMemsetD8Async)
    X(cuStreamCreate) X(cuStreamDestroy_v2) X(cuStreamSynchronize) X(cuStreamWaitEvent)
    X(cuEventCreate) X(cuEventDestroy_v2) X(cuEventRecord) X(cuEventRecordWithFlags) X(cuEventSynchronize)
    X(cuEventElapsedTime) X(cuEventElapsedTime_v2)
    X(cuStreamBeginCapture_v2) X(cuStreamEndCapture)
    X(cuGraphGetNodes) X(cuGraphInstantiateWithFlags) X(cuGraphDestroy) X(cuGraphLaunch) X(cuGraphExecDestroy)
    X(cudnnGetVersion) X(cudnnGetErrorString) X(cudnnGetLastErrorString)
    X(cudnnCreate) X(cudnnDestroy) X(cudnnSetStream)
    X(cudnnCreateTensorDescriptor) X(cudnnSetTensor4dDescriptor) X(cudnnDestroyTensorDescriptor)
    X(cudnnCreateFilterDescriptor) X(cudnnSetFilter4dDescriptor) X(cudnnDestroyFilterDescriptor)
    X(cudnnCreateConvolutionDescriptor) X(cudnnSetConvolution2dDescriptor) X(cudnnSetConvolutionMathType)
    X(cudnnSetConvolutionGroupCount) X(cudnnDestroyConvolutionDescriptor) X(cudnnGetConvolution2dForwardOutputDim)
    X(cudnnGetConvolutionForwardAlgorithm_v7) X(cudnnGetConvolutionBackwardDataAlgorithm_v7)
    X(cudnnGetConvolutionForwardWorkspaceSize) X(cudnnGetConvolutionBackwardDataWorkspaceSize)
    X(cudnnConvolutionForward) X(cudnnConvolutionBackwardData)
    X(cudnnBackendCreateDescriptor) X(cudnnBackendDestroyDescriptor) X(cudnnBackendSetAttribute) X(cudnnBackendGetAttribute)
    X(cudnnBackendFinalize) X(cudnnBackendExecute)
};

const struct standin_function *standin_functions(int *count) {
  *count = sizeof functions / sizeof *functions;
  return functions;
}
