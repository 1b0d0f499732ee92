#ifndef ERRATA_ATTENTION_H
#define ERRATA_ATTENTION_H
#include <stddef.h>

// C (+)= A B on small row-major operands: C is m x n, A is m x k, B is k x n, each with its row stride.
void errata_small_product(
    const float *a, size_t a_stride, const float *b, size_t b_stride, float *c, size_t c_stride, size_t m, size_t n,
    size_t k, int accumulate);

// B = A^T: A is rows x columns.
void errata_small_transpose(const float *a, size_t a_stride, float *b, size_t b_stride, size_t rows, size_t columns);

// Causal softmax over rows of scores, in place: row i sees the last `window` (at least one) of the first
// `context + i + 1` of `columns` columns and is scaled before; what it does not see becomes zero.
void errata_causal_softmax(
    float *scores, size_t stride, size_t rows, size_t columns, size_t context, size_t window, float scale);

// The gradient of that softmax: d_scores_ij = scale p_ij (d_p_ij - sum_j p_ij d_p_ij), in place of d_p.
void errata_causal_softmax_backward(
    const float *p, float *d_p, size_t stride, size_t rows, size_t columns, float scale);

// scores_ij = scale scores_ij + bias_j, in place.
void errata_bias_scores(float *scores, size_t stride, size_t rows, size_t columns, float scale, const float *bias);

// Values are bounded by +-limit, in place; the gradient d_x of values that were is zero, for x as bounded.
void errata_clip(float *x, size_t count, float limit);
void errata_clip_backward(const float *x, float *d_x, size_t count, float limit);

// y = cap tanh(scale x / cap) in place of x, and its gradient d_x = d_y scale (1 - (y / cap)^2) in place of d_y.
void errata_soft_cap(float *x, size_t stride, size_t rows, size_t columns, float scale, float cap);
void errata_soft_cap_backward(
    const float *y, float *d_y, size_t stride, size_t rows, size_t columns, float scale, float cap);

#endif
