#ifndef ERRATA_ROTARY_H
#define ERRATA_ROTARY_H
#include <stddef.h>
#include <stdint.h>

// Rotates the first 2 * pairs values of each of `heads` heads in place (rotary position embedding). Row r stands at
// position positions[r]; cosine and sine are tables of `pairs` values per position. The pairs of a head are
// (i, i + pairs), or (2 i, 2 i + 1) if interleaved. direction +1 rotates forward, -1 back, which is also the gradient.

void errata_rotate(
    float *x, size_t row_stride, size_t rows, size_t heads, size_t head_size, size_t pairs, int interleaved,
    const int32_t *positions, const float *cosine, const float *sine, float direction);

#endif
