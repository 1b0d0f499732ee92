#ifndef ERRATA_NORMALIZATION_H
#define ERRATA_NORMALIZATION_H
#include <stddef.h>

// Over rows of `width` values.
//   RMS norm:    y = x / sqrt(mean(x^2) + epsilon) * weight
//   layer norm:  y = (x - mean(x)) / sqrt(var(x) + epsilon) * weight + bias   (population variance; bias may be NULL)
// Backward adds into d_x, because a residual branch always has another gradient there.

void errata_rms_norm_forward(const float *x, const float *weight, float epsilon, float *y, size_t rows, size_t width);
void errata_rms_norm_backward(
    const float *x, const float *weight, float epsilon, const float *d_y, float *d_x, size_t rows, size_t width);
void errata_layer_norm_forward(
    const float *x, const float *weight, const float *bias, float epsilon, float *y, size_t rows, size_t width);
void errata_layer_norm_backward(
    const float *x, const float *weight, float epsilon, const float *d_y, float *d_x, size_t rows, size_t width);

#endif
