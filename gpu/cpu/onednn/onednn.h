//go:build onednn

// A thin layer over oneDNN for one worker thread: everything is created beforehand, running a pass allocates nothing.
#ifndef DIAGHESS_ONEDNN_H
#define DIAGHESS_ONEDNN_H

#include "api.h"

// A worker is a stream and the scratch memory that all its convolutions share, since they run one after the other.
typedef struct worker worker;
// A convolution is the three passes of one shape.
typedef struct convolution convolution;

dnnl_status_t worker_create(worker **out);
void worker_destroy(worker *);

dnnl_status_t convolution_create(
        convolution **out, worker *, int64_t batch, int64_t height, int64_t width, int64_t in, int64_t out_channels, int64_t kernel);
void convolution_destroy(convolution *);

// Bytes of the filter in the order that the pass wants, the name of its implementation, and whether it reorders activations.
size_t convolution_packed_bytes(const convolution *, int pass);
const char *convolution_implementation(const convolution *, int pass);
int convolution_reorders(const convolution *, int pass);

// convolution_pack brings a filter from HWIO into the order of a pass; for BACKWARD_FILTER, from that order into HWIO.
dnnl_status_t convolution_pack(convolution *, int pass, float *from, float *to);

// convolution_run runs a pass. x and y are the activations on the input's and the output's side or their gradients (NHWC),
// w is the filter or its gradient in the pass's order. FORWARD writes y, BACKWARD_DATA x, BACKWARD_FILTER w.
dnnl_status_t convolution_run(convolution *, int pass, float *x, float *w, float *y);

// matrix_product: C[m,n] = op(A) op(B), row major; transpose is 'N' or 'T'.
dnnl_status_t matrix_product(char transpose_a, char transpose_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
        const float *b, int64_t ldb, float *c, int64_t ldc);

#endif
