//go:build onednn

// The calls that differ between oneDNN's API 2 (memory descriptors are structs, operations have descriptors of their own)
// and API 3 (memory descriptors are handles, operations are described by arguments). Nothing else here knows the version.
#ifndef DIAGHESS_ONEDNN_API_H
#define DIAGHESS_ONEDNN_API_H

#include <dnnl.h>

// TRY returns from the calling function with the status of a call that failed.
#define TRY(call)                                     \
    do {                                              \
        dnnl_status_t status_ = (call);               \
        if (status_ != dnnl_success) return status_; \
    } while (0)

enum { FORWARD, BACKWARD_DATA, BACKWARD_FILTER };

#if DNNL_VERSION_MAJOR >= 3

typedef const_dnnl_memory_desc_t layout; // owned by whoever made it

static inline dnnl_status_t layout_create(layout *out, int rank, const dnnl_dims_t extents, dnnl_format_tag_t tag) {
    dnnl_memory_desc_t made;
    TRY(dnnl_memory_desc_create_with_tag(&made, rank, extents, dnnl_f32, tag));
    *out = made;
    return dnnl_success;
}
static inline void layout_destroy(layout *l) { dnnl_memory_desc_destroy((dnnl_memory_desc_t)*l); }
static inline int layout_equal(const layout *a, const layout *b) { return dnnl_memory_desc_equal(*a, *b); }
static inline size_t layout_bytes(const layout *l) { return dnnl_memory_desc_get_size(*l); }

// layout_query borrows a layout from a primitive's description; it lives as long as that does.
static inline layout layout_query(const_dnnl_primitive_desc_t description, dnnl_query_t what) {
    return dnnl_primitive_desc_query_md(description, what, 0);
}

static inline dnnl_status_t memory_create(dnnl_memory_t *out, const layout *l, dnnl_engine_t engine) {
    return dnnl_memory_create(out, *l, engine, DNNL_MEMORY_NONE);
}

static inline dnnl_status_t describe_reorder(
        dnnl_primitive_desc_t *out, const layout *from, const layout *to, dnnl_engine_t engine, const_dnnl_primitive_attr_t attributes) {
    return dnnl_reorder_primitive_desc_create(out, *from, engine, *to, engine, attributes);
}

// describe_convolution finds the library's implementation of one pass over the given layouts; hint is the description of the
// forward pass, which the backward passes need.
static inline dnnl_status_t describe_convolution(dnnl_primitive_desc_t *out, int pass, const layout *x, const layout *w,
        const layout *y, const dnnl_dims_t padding, const_dnnl_primitive_desc_t hint, dnnl_engine_t engine,
        const_dnnl_primitive_attr_t attributes) {
    const dnnl_dims_t strides = {1, 1}, dilates = {0, 0};
    switch (pass) {
    case FORWARD:
        return dnnl_convolution_forward_primitive_desc_create(out, engine, dnnl_forward_training, dnnl_convolution_auto, *x, *w,
                NULL, *y, strides, dilates, padding, padding, attributes);
    case BACKWARD_DATA:
        return dnnl_convolution_backward_data_primitive_desc_create(
                out, engine, dnnl_convolution_auto, *x, *w, *y, strides, dilates, padding, padding, hint, attributes);
    default:
        return dnnl_convolution_backward_weights_primitive_desc_create(
                out, engine, dnnl_convolution_auto, *x, *w, NULL, *y, strides, dilates, padding, padding, hint, attributes);
    }
}

#else

typedef dnnl_memory_desc_t layout;

static inline dnnl_status_t layout_create(layout *out, int rank, const dnnl_dims_t extents, dnnl_format_tag_t tag) {
    return dnnl_memory_desc_init_by_tag(out, rank, extents, dnnl_f32, tag);
}
static inline void layout_destroy(layout *l) { (void)l; }
static inline int layout_equal(const layout *a, const layout *b) { return dnnl_memory_desc_equal(a, b); }
static inline size_t layout_bytes(const layout *l) { return dnnl_memory_desc_get_size(l); }

static inline layout layout_query(const_dnnl_primitive_desc_t description, dnnl_query_t what) {
    return *dnnl_primitive_desc_query_md(description, what, 0);
}

static inline dnnl_status_t memory_create(dnnl_memory_t *out, const layout *l, dnnl_engine_t engine) {
    return dnnl_memory_create(out, l, engine, DNNL_MEMORY_NONE);
}

static inline dnnl_status_t describe_reorder(
        dnnl_primitive_desc_t *out, const layout *from, const layout *to, dnnl_engine_t engine, const_dnnl_primitive_attr_t attributes) {
    return dnnl_reorder_primitive_desc_create(out, from, engine, to, engine, attributes);
}

static inline dnnl_status_t describe_convolution(dnnl_primitive_desc_t *out, int pass, const layout *x, const layout *w,
        const layout *y, const dnnl_dims_t padding, const_dnnl_primitive_desc_t hint, dnnl_engine_t engine,
        const_dnnl_primitive_attr_t attributes) {
    const dnnl_dims_t strides = {1, 1};
    dnnl_convolution_desc_t operation;
    switch (pass) {
    case FORWARD:
        TRY(dnnl_convolution_forward_desc_init(
                &operation, dnnl_forward_training, dnnl_convolution_auto, x, w, NULL, y, strides, padding, padding));
        break;
    case BACKWARD_DATA:
        TRY(dnnl_convolution_backward_data_desc_init(
                &operation, dnnl_convolution_auto, x, w, y, strides, padding, padding));
        break;
    default:
        TRY(dnnl_convolution_backward_weights_desc_init(
                &operation, dnnl_convolution_auto, x, w, NULL, y, strides, padding, padding));
    }
    return dnnl_primitive_desc_create(out, &operation, attributes, engine, hint);
}

#endif

#endif
