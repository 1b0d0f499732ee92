#include "attention.h"

#include "dispatch.h"
#include "exponential.h"

typedef float vector8 __attribute__((vector_size(32), aligned(4)));
typedef float vector16 __attribute__((vector_size(64), aligned(4)));

// Products in register tiles, for vectors of LANES floats. Each element is one sum over k in order, whatever the
// vectors' width, so that it does not decide any bit.
#define DEFINE_PRODUCT(vector, LANES)                                                                        \
  /* R rows and LANES V columns of C. R and V are constants where this is inlined. */                        \
  ERRATA_INLINE void product_tile_##LANES(                                                                   \
      const float *restrict a, size_t a_stride, const float *restrict b, size_t b_stride, float *restrict c, \
      size_t c_stride, size_t k, int accumulate, const int R, const int V) {                                 \
    vector sum[4][2];                                                                                        \
    for (int r = 0; r < R; r++) {                                                                            \
      for (int v = 0; v < V; v++) {                                                                          \
        sum[r][v] = accumulate ? *(const vector *)(c + r * c_stride + LANES * v) : (vector){0};              \
      }                                                                                                      \
    }                                                                                                        \
    for (size_t i = 0; i < k; i++) {                                                                         \
      for (int v = 0; v < V; v++) {                                                                          \
        vector column = *(const vector *)(b + i * b_stride + LANES * v);                                     \
        for (int r = 0; r < R; r++) sum[r][v] += a[r * a_stride + i] * column;                               \
      }                                                                                                      \
    }                                                                                                        \
    for (int r = 0; r < R; r++) {                                                                            \
      for (int v = 0; v < V; v++) *(vector *)(c + r * c_stride + LANES * v) = sum[r][v];                     \
    }                                                                                                        \
  }

DEFINE_PRODUCT(vector8, 8)
DEFINE_PRODUCT(vector16, 16)

ERRATA_INLINE void product_rows(
    const float *restrict a, size_t a_stride, const float *restrict b, size_t b_stride, float *restrict c,
    size_t c_stride, size_t n, size_t k, int accumulate, const int R, const int is_wide) {
  size_t j = 0;
  if (is_wide) {
    for (; j + 32 <= n; j += 32) product_tile_16(a, a_stride, b + j, b_stride, c + j, c_stride, k, accumulate, R, 2);
    for (; j + 16 <= n; j += 16) product_tile_16(a, a_stride, b + j, b_stride, c + j, c_stride, k, accumulate, R, 1);
  }
  for (; j + 16 <= n; j += 16) product_tile_8(a, a_stride, b + j, b_stride, c + j, c_stride, k, accumulate, R, 2);
  for (; j + 8 <= n; j += 8) product_tile_8(a, a_stride, b + j, b_stride, c + j, c_stride, k, accumulate, R, 1);
  for (; j < n; j++) {
    for (int r = 0; r < R; r++) {
      float sum = accumulate ? c[r * c_stride + j] : 0;
      for (size_t i = 0; i < k; i++) sum += a[r * a_stride + i] * b[i * b_stride + j];
      c[r * c_stride + j] = sum;
    }
  }
}

ERRATA_INLINE void small_product_rows(
    const float *restrict a, size_t a_stride, const float *restrict b, size_t b_stride, float *restrict c,
    size_t c_stride, size_t m, size_t n, size_t k, int accumulate, const int is_wide) {
  size_t i = 0;
  for (; i + 4 <= m; i += 4) {
    product_rows(a + i * a_stride, a_stride, b, b_stride, c + i * c_stride, c_stride, n, k, accumulate, 4, is_wide);
  }
  for (; i < m; i++) {
    product_rows(a + i * a_stride, a_stride, b, b_stride, c + i * c_stride, c_stride, n, k, accumulate, 1, is_wide);
  }
}

static void small_product_baseline(
    const float *a, size_t a_stride, const float *b, size_t b_stride, float *c, size_t c_stride, size_t m, size_t n,
    size_t k, int accumulate) {
  small_product_rows(a, a_stride, b, b_stride, c, c_stride, m, n, k, accumulate, 0);
}

#if defined(__x86_64__)
ERRATA_AVX2 static void small_product_avx2(
    const float *a, size_t a_stride, const float *b, size_t b_stride, float *c, size_t c_stride, size_t m, size_t n,
    size_t k, int accumulate) {
  small_product_rows(a, a_stride, b, b_stride, c, c_stride, m, n, k, accumulate, 0);
}

ERRATA_AVX512 static void small_product_avx512(
    const float *a, size_t a_stride, const float *b, size_t b_stride, float *c, size_t c_stride, size_t m, size_t n,
    size_t k, int accumulate) {
  small_product_rows(a, a_stride, b, b_stride, c, c_stride, m, n, k, accumulate, 1);
}
#endif

void errata_small_product(
    const float *a, size_t a_stride, const float *b, size_t b_stride, float *c, size_t c_stride, size_t m, size_t n,
    size_t k, int accumulate) {
  ERRATA_WIDEST(small_product)(a, a_stride, b, b_stride, c, c_stride, m, n, k, accumulate);
}

ERRATA_INLINE void small_transpose_body(
    const float *restrict a, size_t a_stride, float *restrict b, size_t b_stride, size_t rows, size_t columns) {
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < columns; j++) b[j * b_stride + i] = a[i * a_stride + j];
  }
}

ERRATA_INLINE void causal_softmax_body(
    float *restrict scores, size_t stride, size_t rows, size_t columns, size_t context, size_t window, float scale) {
#pragma clang fp reassociate(on)
  for (size_t i = 0; i < rows; i++, scores += stride) {
    size_t visible = context + i + 1 < columns ? context + i + 1 : columns;
    size_t first = context + i + 1 > window ? context + i + 1 - window : 0;
    float largest = scores[first];
    for (size_t j = first + 1; j < visible; j++) largest = scores[j] > largest ? scores[j] : largest;
    float sum = 0;
    for (size_t j = first; j < visible; j++) {
      scores[j] = exponential((scores[j] - largest) * scale);
      sum += scores[j];
    }
    float inverse = 1.0f / sum;
    for (size_t j = 0; j < first; j++) scores[j] = 0;
    for (size_t j = first; j < visible; j++) scores[j] *= inverse;
    for (size_t j = visible; j < columns; j++) scores[j] = 0;
  }
}

ERRATA_INLINE void causal_softmax_backward_body(
    const float *restrict p, float *restrict d_p, size_t stride, size_t rows, size_t columns, float scale) {
#pragma clang fp reassociate(on)
  for (size_t i = 0; i < rows; i++, p += stride, d_p += stride) {
    float sum = 0;
    for (size_t j = 0; j < columns; j++) sum += p[j] * d_p[j];
    for (size_t j = 0; j < columns; j++) d_p[j] = scale * p[j] * (d_p[j] - sum);
  }
}

ERRATA_INLINE void soft_cap_body(
    float *restrict x, size_t stride, size_t rows, size_t columns, float scale, float cap) {
  for (size_t i = 0; i < rows; i++, x += stride) {
    for (size_t j = 0; j < columns; j++) x[j] = cap * hyperbolic_tangent(x[j] * (scale / cap));
  }
}

ERRATA_INLINE void soft_cap_backward_body(
    const float *restrict y, float *restrict d_y, size_t stride, size_t rows, size_t columns, float scale, float cap) {
  for (size_t i = 0; i < rows; i++, y += stride, d_y += stride) {
    for (size_t j = 0; j < columns; j++) {
      float t = y[j] / cap;
      d_y[j] *= scale * (1.0f - t * t);
    }
  }
}

ERRATA_INLINE void bias_scores_body(
    float *restrict scores, size_t stride, size_t rows, size_t columns, float scale, const float *restrict bias) {
  for (size_t i = 0; i < rows; i++, scores += stride) {
    for (size_t j = 0; j < columns; j++) scores[j] = scale * scores[j] + bias[j];
  }
}

ERRATA_INLINE void clip_body(float *restrict x, size_t count, float limit) {
  for (size_t i = 0; i < count; i++) x[i] = x[i] > limit ? limit : x[i] < -limit ? -limit : x[i];
}

ERRATA_INLINE void clip_backward_body(const float *restrict x, float *restrict d_x, size_t count, float limit) {
  for (size_t i = 0; i < count; i++) d_x[i] = x[i] < limit && x[i] > -limit ? d_x[i] : 0;
}

ERRATA_KERNEL(
    bias_scores, (float *scores, size_t stride, size_t rows, size_t columns, float scale, const float *bias),
    (scores, stride, rows, columns, scale, bias))
ERRATA_KERNEL(clip, (float *x, size_t count, float limit), (x, count, limit))
ERRATA_KERNEL(clip_backward, (const float *x, float *d_x, size_t count, float limit), (x, d_x, count, limit))
ERRATA_KERNEL(
    small_transpose, (const float *a, size_t a_stride, float *b, size_t b_stride, size_t rows, size_t columns),
    (a, a_stride, b, b_stride, rows, columns))
ERRATA_KERNEL(
    causal_softmax,
    (float *scores, size_t stride, size_t rows, size_t columns, size_t context, size_t window, float scale),
    (scores, stride, rows, columns, context, window, scale))
ERRATA_KERNEL(
    causal_softmax_backward, (const float *p, float *d_p, size_t stride, size_t rows, size_t columns, float scale),
    (p, d_p, stride, rows, columns, scale))
ERRATA_KERNEL(
    soft_cap, (float *x, size_t stride, size_t rows, size_t columns, float scale, float cap),
    (x, stride, rows, columns, scale, cap))
ERRATA_KERNEL(
    soft_cap_backward, (const float *y, float *d_y, size_t stride, size_t rows, size_t columns, float scale, float cap),
    (y, d_y, stride, rows, columns, scale, cap))
