//go:build onednn

#include "onednn.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { X, W, Y, OPERANDS }; // input side, filter, output side
enum { PASSES = 3, ALIGNMENT = 64 };

struct worker {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    char *scratch;
    size_t scratch_bytes;
};

// An operand of a pass: in the caller's order (NHWC, HWIO) and in the pass's own.
typedef struct {
    dnnl_memory_t given;
    dnnl_memory_t own;        // == given if the orders are the same
    dnnl_primitive_t reorder; // from what is read to what is written; NULL if the orders are the same
    size_t bytes;             // of own
    size_t offset;            // of own in the scratch memory, if it is an activation with a reorder
} operand;

typedef struct {
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    const char *implementation;
    operand operands[OPERANDS];
    dnnl_memory_t workspace; // the implementation's own scratch memory, behind the reordered activations
    size_t workspace_offset;
} pass_plan;

struct convolution {
    worker *owner;
    pass_plan passes[PASSES];
};

// The operand that a pass writes.
static const int written[PASSES] = {[FORWARD] = Y, [BACKWARD_DATA] = X, [BACKWARD_FILTER] = W};

// one_thread makes oneDNN use the calling thread alone. OpenMP keeps the number per thread of the operating system, and a
// goroutine may run on another one at each call.
static void one_thread(void) { omp_set_num_threads(1); }

static size_t aligned(size_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

dnnl_status_t worker_create(worker **out) {
    worker *w = calloc(1, sizeof *w);
    if (!w) return dnnl_out_of_memory;
    one_thread();
    dnnl_status_t status = dnnl_engine_create(&w->engine, dnnl_cpu, 0);
    if (status == dnnl_success) status = dnnl_stream_create(&w->stream, w->engine, dnnl_stream_default_flags);
    if (status != dnnl_success) {
        worker_destroy(w);
        return status;
    }
    *out = w;
    return dnnl_success;
}

void worker_destroy(worker *w) {
    if (w->stream) dnnl_stream_destroy(w->stream);
    if (w->engine) dnnl_engine_destroy(w->engine);
    free(w->scratch);
    free(w);
}

static dnnl_status_t reserve_scratch(worker *w, size_t bytes) {
    if (bytes <= w->scratch_bytes) return dnnl_success;
    void *grown = NULL;
    if (posix_memalign(&grown, ALIGNMENT, bytes)) return dnnl_out_of_memory;
    memset(grown, 0, bytes); // touches the pages now, not within a training step
    free(w->scratch);
    w->scratch = grown;
    w->scratch_bytes = bytes;
    return dnnl_success;
}

static int starts_with(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

// nhwc_is_faster decides between NHWC as it is and the library's favourite order; doc.go has the measurements behind it.
static int nhwc_is_faster(int pass, int64_t in, const char *nhwc_implementation) {
    if (starts_with(nhwc_implementation, "brg")) return 1;
    return starts_with(nhwc_implementation, "jit") && (pass == BACKWARD_FILTER || in < 8);
}

static dnnl_status_t implementation_name(const char **out, const_dnnl_primitive_desc_t description) {
    return dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, (void *)out);
}

// describe asks the library for an implementation of a pass, given the order of the activations; the order of the filter is
// left to it. A backward pass needs the description of the forward pass over the same layouts.
static dnnl_status_t describe(dnnl_primitive_desc_t *out, int pass, dnnl_dims_t extents[OPERANDS], dnnl_format_tag_t activations,
        const dnnl_dims_t padding, dnnl_engine_t engine, const_dnnl_primitive_attr_t attributes) {
    layout wanted[OPERANDS] = {0};
    dnnl_primitive_desc_t hint = NULL;
    dnnl_status_t status = dnnl_success;
    for (int i = 0; i < OPERANDS && status == dnnl_success; i++)
        status = layout_create(&wanted[i], 4, extents[i], i == W ? dnnl_format_tag_any : activations);
    if (status == dnnl_success && pass != FORWARD)
        status = describe_convolution(&hint, FORWARD, &wanted[X], &wanted[W], &wanted[Y], padding, NULL, engine, attributes);
    if (status == dnnl_success)
        status = describe_convolution(out, pass, &wanted[X], &wanted[W], &wanted[Y], padding, hint, engine, attributes);
    if (hint) dnnl_primitive_desc_destroy(hint);
    for (int i = 0; i < OPERANDS; i++) layout_destroy(&wanted[i]);
    return status;
}

// choose takes the faster of the two orders of the activations.
static dnnl_status_t choose(pass_plan *p, int pass, dnnl_dims_t extents[OPERANDS], const dnnl_dims_t padding, dnnl_engine_t engine,
        const_dnnl_primitive_attr_t attributes) {
    TRY(describe(&p->description, pass, extents, dnnl_nhwc, padding, engine, attributes));
    TRY(implementation_name(&p->implementation, p->description));
    if (nhwc_is_faster(pass, extents[X][1], p->implementation)) return dnnl_success;
    dnnl_primitive_desc_destroy(p->description);
    p->description = NULL;
    TRY(describe(&p->description, pass, extents, dnnl_format_tag_any, padding, engine, attributes));
    return implementation_name(&p->implementation, p->description);
}

// plan_operand makes the memory objects of one operand and, if its two orders differ, the reorder between them.
static dnnl_status_t plan_operand(operand *o, const layout *given, const layout *own, int is_written, dnnl_engine_t engine) {
    o->bytes = layout_bytes(own);
    TRY(memory_create(&o->given, given, engine));
    if (layout_equal(given, own)) {
        o->own = o->given;
        return dnnl_success;
    }
    TRY(memory_create(&o->own, own, engine));
    dnnl_primitive_desc_t description;
    TRY(describe_reorder(&description, is_written ? own : given, is_written ? given : own, engine, NULL));
    dnnl_status_t status = dnnl_primitive_create(&o->reorder, description);
    dnnl_primitive_desc_destroy(description);
    return status;
}

// plan makes everything that a pass needs to run, and says how much scratch memory it uses.
static dnnl_status_t plan(pass_plan *p, int pass, dnnl_dims_t extents[OPERANDS], const dnnl_dims_t padding, dnnl_engine_t engine,
        const_dnnl_primitive_attr_t attributes, size_t *scratch_bytes) {
    static const dnnl_query_t queries[PASSES][OPERANDS] = {
            [FORWARD] = {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md},
            [BACKWARD_DATA] = {dnnl_query_diff_src_md, dnnl_query_weights_md, dnnl_query_diff_dst_md},
            [BACKWARD_FILTER] = {dnnl_query_src_md, dnnl_query_diff_weights_md, dnnl_query_diff_dst_md}};
    TRY(choose(p, pass, extents, padding, engine, attributes));
    TRY(dnnl_primitive_create(&p->primitive, p->description));
    *scratch_bytes = 0;
    for (int i = 0; i < OPERANDS; i++) {
        layout own = layout_query(p->description, queries[pass][i]);
        layout given;
        TRY(layout_create(&given, 4, extents[i], i == W ? dnnl_hwio : dnnl_nhwc));
        dnnl_status_t status = plan_operand(&p->operands[i], &given, &own, i == written[pass], engine);
        layout_destroy(&given);
        TRY(status);
        if (i != W && p->operands[i].reorder) {
            p->operands[i].offset = *scratch_bytes;
            *scratch_bytes += aligned(p->operands[i].bytes);
        }
    }
    layout workspace = layout_query(p->description, dnnl_query_scratchpad_md);
    TRY(memory_create(&p->workspace, &workspace, engine));
    p->workspace_offset = *scratch_bytes;
    *scratch_bytes += aligned(layout_bytes(&workspace));
    return dnnl_success;
}

static dnnl_status_t plan_all(convolution *c, dnnl_dims_t extents[OPERANDS], const dnnl_dims_t padding, const_dnnl_primitive_attr_t attributes) {
    for (int pass = 0; pass < PASSES; pass++) {
        size_t scratch_bytes;
        TRY(plan(&c->passes[pass], pass, extents, padding, c->owner->engine, attributes, &scratch_bytes));
        TRY(reserve_scratch(c->owner, scratch_bytes));
    }
    return dnnl_success;
}

dnnl_status_t convolution_create(convolution **out, worker *owner, int64_t batch, int64_t height, int64_t width, int64_t in,
        int64_t out_channels, int64_t kernel) {
    // oneDNN names extents in the order NCHW and OIHW whatever the order in memory.
    dnnl_dims_t extents[OPERANDS] = {
            [X] = {batch, in, height, width}, [W] = {out_channels, in, kernel, kernel}, [Y] = {batch, out_channels, height, width}};
    dnnl_dims_t padding = {kernel / 2, kernel / 2};
    dnnl_primitive_attr_t attributes;
    convolution *c = calloc(1, sizeof *c);
    if (!c) return dnnl_out_of_memory;
    c->owner = owner;
    one_thread();
    dnnl_status_t status = dnnl_primitive_attr_create(&attributes);
    if (status == dnnl_success) {
        status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
        if (status == dnnl_success) status = plan_all(c, extents, padding, attributes);
        dnnl_primitive_attr_destroy(attributes);
    }
    if (status != dnnl_success) {
        convolution_destroy(c);
        return status;
    }
    *out = c;
    return dnnl_success;
}

void convolution_destroy(convolution *c) {
    for (int pass = 0; pass < PASSES; pass++) {
        pass_plan *p = &c->passes[pass];
        for (int i = 0; i < OPERANDS; i++) {
            operand *o = &p->operands[i];
            if (o->own && o->own != o->given) dnnl_memory_destroy(o->own);
            if (o->given) dnnl_memory_destroy(o->given);
            if (o->reorder) dnnl_primitive_destroy(o->reorder);
        }
        if (p->workspace) dnnl_memory_destroy(p->workspace);
        if (p->primitive) dnnl_primitive_destroy(p->primitive);
        if (p->description) dnnl_primitive_desc_destroy(p->description);
    }
    free(c);
}

size_t convolution_packed_bytes(const convolution *c, int pass) { return c->passes[pass].operands[W].bytes; }

const char *convolution_implementation(const convolution *c, int pass) { return c->passes[pass].implementation; }

int convolution_reorders(const convolution *c, int pass) {
    return c->passes[pass].operands[X].reorder != NULL || c->passes[pass].operands[Y].reorder != NULL;
}

static dnnl_status_t reorder(const convolution *c, const operand *o, dnnl_memory_t from, dnnl_memory_t to) {
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    return dnnl_primitive_execute(o->reorder, c->owner->stream, 2, arguments);
}

dnnl_status_t convolution_pack(convolution *c, int pass, float *from, float *to) {
    operand *o = &c->passes[pass].operands[W];
    if (!o->reorder) {
        memcpy(to, from, o->bytes);
        return dnnl_success;
    }
    int backwards = written[pass] == W;
    dnnl_memory_t source = backwards ? o->own : o->given, target = backwards ? o->given : o->own;
    one_thread();
    TRY(dnnl_memory_set_data_handle(source, from));
    TRY(dnnl_memory_set_data_handle(target, to));
    dnnl_status_t status = reorder(c, o, source, target);
    TRY(dnnl_memory_set_data_handle(source, DNNL_MEMORY_NONE)); // keep no pointer into the caller's memory
    TRY(dnnl_memory_set_data_handle(target, DNNL_MEMORY_NONE));
    return status;
}

// bind points the memory objects of a pass at the caller's data and at the scratch memory. API 2 then writes zeros into a packed
// filter's padding, where there is one: the zeros that are there already, so another worker may read the filter meanwhile.
static dnnl_status_t bind(const convolution *c, const pass_plan *p, float *data[OPERANDS]) {
    for (int i = 0; i < OPERANDS; i++) {
        const operand *o = &p->operands[i];
        TRY(dnnl_memory_set_data_handle(i == W ? o->own : o->given, data[i]));
        if (i != W && o->reorder) TRY(dnnl_memory_set_data_handle(o->own, c->owner->scratch + o->offset));
    }
    return dnnl_memory_set_data_handle(p->workspace, c->owner->scratch + p->workspace_offset);
}

// unbind forgets the caller's data: C may not keep pointers into Go's memory.
static dnnl_status_t unbind(const pass_plan *p) {
    for (int i = 0; i < OPERANDS; i++)
        TRY(dnnl_memory_set_data_handle(i == W ? p->operands[i].own : p->operands[i].given, DNNL_MEMORY_NONE));
    return dnnl_success;
}

static dnnl_status_t run_bound(const convolution *c, int pass) {
    static const int names[PASSES][OPERANDS] = {
            [FORWARD] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
            [BACKWARD_DATA] = {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST},
            [BACKWARD_FILTER] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST}};
    const pass_plan *p = &c->passes[pass];
    const operand *o = p->operands;
    for (int i = 0; i < OPERANDS; i++)
        if (i != W && i != written[pass] && o[i].reorder) TRY(reorder(c, &o[i], o[i].given, o[i].own));
    dnnl_exec_arg_t arguments[] = {{names[pass][X], o[X].own}, {names[pass][W], o[W].own}, {names[pass][Y], o[Y].own},
            {DNNL_ARG_SCRATCHPAD, p->workspace}};
    TRY(dnnl_primitive_execute(p->primitive, c->owner->stream, 4, arguments));
    int result = written[pass];
    if (result != W && o[result].reorder) TRY(reorder(c, &o[result], o[result].own, o[result].given));
    return dnnl_stream_wait(c->owner->stream);
}

dnnl_status_t convolution_run(convolution *c, int pass, float *x, float *w, float *y) {
    float *data[OPERANDS] = {[X] = x, [W] = w, [Y] = y};
    one_thread();
    dnnl_status_t status = bind(c, &c->passes[pass], data);
    if (status == dnnl_success) status = run_bound(c, pass);
    TRY(unbind(&c->passes[pass]));
    return status;
}

dnnl_status_t matrix_product(char transpose_a, char transpose_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
        const float *b, int64_t ldb, float *c, int64_t ldc) {
    one_thread();
    return dnnl_sgemm(transpose_a, transpose_b, m, n, k, 1, a, lda, b, ldb, 0, c, ldc);
}
