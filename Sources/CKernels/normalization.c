#include "normalization.h"

#include <math.h>

#include "dispatch.h"

ERRATA_INLINE float dot(const float *restrict a, const float *restrict b, size_t count) {
#pragma clang fp reassociate(on)
  float sum = 0;
  for (size_t i = 0; i < count; i++) sum += a[i] * b[i];
  return sum;
}

ERRATA_INLINE float dot3(const float *restrict a, const float *restrict b, const float *restrict c, size_t count) {
#pragma clang fp reassociate(on)
  float sum = 0;
  for (size_t i = 0; i < count; i++) sum += a[i] * b[i] * c[i];
  return sum;
}

ERRATA_INLINE float mean(const float *restrict x, size_t count) {
#pragma clang fp reassociate(on)
  float sum = 0;
  for (size_t i = 0; i < count; i++) sum += x[i];
  return sum / (float)count;
}

ERRATA_INLINE float variance(const float *restrict x, float center, size_t count) {
#pragma clang fp reassociate(on)
  float sum = 0;
  for (size_t i = 0; i < count; i++) sum += (x[i] - center) * (x[i] - center);
  return sum / (float)count;
}

ERRATA_INLINE void rms_norm_forward_body(
    const float *restrict x, const float *restrict weight, float epsilon, float *restrict y, size_t rows,
    size_t width) {
  for (size_t row = 0; row < rows; row++, x += width, y += width) {
    float scale = 1.0f / sqrtf(dot(x, x, width) / (float)width + epsilon);
    for (size_t i = 0; i < width; i++) y[i] = x[i] * scale * weight[i];
  }
}

// y_i = x_i s w_i with s = (mean(x^2) + epsilon)^-1/2, so
// d_x_i = s w_i d_y_i - x_i s^3 / width * sum_j x_j w_j d_y_j
ERRATA_INLINE void rms_norm_backward_body(
    const float *restrict x, const float *restrict weight, float epsilon, const float *restrict d_y,
    float *restrict d_x, size_t rows, size_t width) {
  for (size_t row = 0; row < rows; row++, x += width, d_y += width, d_x += width) {
    float scale = 1.0f / sqrtf(dot(x, x, width) / (float)width + epsilon);
    float shared = dot3(x, weight, d_y, width) * scale * scale * scale / (float)width;
    for (size_t i = 0; i < width; i++) d_x[i] += scale * weight[i] * d_y[i] - x[i] * shared;
  }
}

ERRATA_INLINE void layer_norm_forward_body(
    const float *restrict x, const float *restrict weight, const float *restrict bias, float epsilon, float *restrict y,
    size_t rows, size_t width) {
  for (size_t row = 0; row < rows; row++, x += width, y += width) {
    float center = mean(x, width);
    float scale = 1.0f / sqrtf(variance(x, center, width) + epsilon);
    if (bias) {
      for (size_t i = 0; i < width; i++) y[i] = (x[i] - center) * scale * weight[i] + bias[i];
    } else {
      for (size_t i = 0; i < width; i++) y[i] = (x[i] - center) * scale * weight[i];
    }
  }
}

// With n_i = (x_i - mean) s and g_i = w_i d_y_i:  d_x_i = s (g_i - mean(g) - n_i mean(g n))
ERRATA_INLINE void layer_norm_backward_body(
    const float *restrict x, const float *restrict weight, float epsilon, const float *restrict d_y,
    float *restrict d_x, size_t rows, size_t width) {
  for (size_t row = 0; row < rows; row++, x += width, d_y += width, d_x += width) {
    float center = mean(x, width);
    float scale = 1.0f / sqrtf(variance(x, center, width) + epsilon);
    float mean_g = dot(weight, d_y, width) / (float)width;
    float mean_gn = (dot3(x, weight, d_y, width) / (float)width - center * mean_g) * scale;
    for (size_t i = 0; i < width; i++) {
      float n = (x[i] - center) * scale;
      d_x[i] += scale * (weight[i] * d_y[i] - mean_g - n * mean_gn);
    }
  }
}

ERRATA_KERNEL(
    rms_norm_forward, (const float *x, const float *weight, float epsilon, float *y, size_t rows, size_t width),
    (x, weight, epsilon, y, rows, width))
ERRATA_KERNEL(
    rms_norm_backward,
    (const float *x, const float *weight, float epsilon, const float *d_y, float *d_x, size_t rows, size_t width),
    (x, weight, epsilon, d_y, d_x, rows, width))
ERRATA_KERNEL(
    layer_norm_forward,
    (const float *x, const float *weight, const float *bias, float epsilon, float *y, size_t rows, size_t width),
    (x, weight, bias, epsilon, y, rows, width))
ERRATA_KERNEL(
    layer_norm_backward,
    (const float *x, const float *weight, float epsilon, const float *d_y, float *d_x, size_t rows, size_t width),
    (x, weight, epsilon, d_y, d_x, rows, width))
