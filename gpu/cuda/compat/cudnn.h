// cuDNN's cudnn.h with the names that gorgonia.org/cu/dnn v0.9.6, written for
// cuDNN 8, needs to compile and cuDNN 9 dropped. This program calls none of them:
// each answers CUDNN_STATUS_NOT_SUPPORTED.
//
// This directory comes first on the include path, see the Makefile.
#ifndef DIAGHESS_COMPAT_CUDNN_H
#define DIAGHESS_COMPAT_CUDNN_H
#include_next <cudnn.h>

#ifndef CUDNN_MAJOR
#error "no cuDNN's cudnn.h behind gpu/cuda/compat: build with make build-cuda"
#endif

#if CUDNN_MAJOR >= 9
typedef struct droppedAlgorithm *cudnnAlgorithmDescriptor_t;
typedef struct droppedPerformance *cudnnAlgorithmPerformance_t;
typedef struct droppedPlan *cudnnPersistentRNNPlan_t;
typedef struct {
  union {
    cudnnConvolutionFwdAlgo_t convFwdAlgo;
    cudnnConvolutionBwdFilterAlgo_t convBwdFilterAlgo;
    cudnnConvolutionBwdDataAlgo_t convBwdDataAlgo;
    cudnnRNNAlgo_t RNNAlgo;
    cudnnCTCLossAlgo_t CTCLossAlgo;
  } algo;
} cudnnAlgorithm_t;

#define DROPPED(name, ...) \
  static inline cudnnStatus_t name(__VA_ARGS__) { return CUDNN_STATUS_NOT_SUPPORTED; }
DROPPED(cudnnCreateAlgorithmDescriptor, cudnnAlgorithmDescriptor_t *descriptor)
DROPPED(cudnnSetAlgorithmDescriptor, cudnnAlgorithmDescriptor_t descriptor, cudnnAlgorithm_t algorithm)
DROPPED(cudnnDestroyAlgorithmDescriptor, cudnnAlgorithmDescriptor_t descriptor)
DROPPED(cudnnCreateAlgorithmPerformance, cudnnAlgorithmPerformance_t *performance, int count)
DROPPED(cudnnSetAlgorithmPerformance, cudnnAlgorithmPerformance_t performance, cudnnAlgorithmDescriptor_t descriptor,
        cudnnStatus_t status, float time, size_t memory)
DROPPED(cudnnDestroyAlgorithmPerformance, cudnnAlgorithmPerformance_t *performance, int count)
DROPPED(cudnnCreatePersistentRNNPlan, cudnnRNNDescriptor_t descriptor, int batch, cudnnDataType_t type, cudnnPersistentRNNPlan_t *plan)
DROPPED(cudnnSetPersistentRNNPlan, cudnnRNNDescriptor_t descriptor, cudnnPersistentRNNPlan_t plan)
DROPPED(cudnnDestroyPersistentRNNPlan, cudnnPersistentRNNPlan_t plan)
DROPPED(cudnnSetRNNMatrixMathType, cudnnRNNDescriptor_t descriptor, cudnnMathType_t math)
#undef DROPPED

// cu/dnn turns every status above this constant into NotSupported. cuDNN 9
// numbers its errors 2000 (bad parameter), 4000 (internal), 5000 (execution): with
// the bound lifted cu/dnn hands them on as they are.
#define CUDNN_STATUS_RUNTIME_FP_OVERFLOW ((cudnnStatus_t)9999)
#endif
#endif
