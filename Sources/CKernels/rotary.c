#include "rotary.h"

#include "dispatch.h"

ERRATA_INLINE void rotate_body(
    float *restrict x, size_t row_stride, size_t rows, size_t heads, size_t head_size, size_t pairs, int interleaved,
    const int32_t *restrict positions, const float *restrict cosine, const float *restrict sine, float direction) {
  for (size_t row = 0; row < rows; row++) {
    const float *restrict c = cosine + (size_t)positions[row] * pairs;
    const float *restrict s = sine + (size_t)positions[row] * pairs;
    for (size_t head = 0; head < heads; head++) {
      float *restrict h = x + row * row_stride + head * head_size;
      if (interleaved) {
        for (size_t i = 0; i < pairs; i++) {
          float a = h[2 * i], b = h[2 * i + 1], t = direction * s[i];
          h[2 * i] = a * c[i] - b * t;
          h[2 * i + 1] = b * c[i] + a * t;
        }
      } else {
        for (size_t i = 0; i < pairs; i++) {
          float a = h[i], b = h[i + pairs], t = direction * s[i];
          h[i] = a * c[i] - b * t;
          h[i + pairs] = b * c[i] + a * t;
        }
      }
    }
  }
}

ERRATA_KERNEL(
    rotate,
    (float *x, size_t row_stride, size_t rows, size_t heads, size_t head_size, size_t pairs, int interleaved,
     const int32_t *positions, const float *cosine, const float *sine, float direction),
    (x, row_stride, rows, heads, head_size, pairs, interleaved, positions, cosine, sine, direction))
