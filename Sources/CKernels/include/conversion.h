#ifndef ERRATA_CONVERSION_H
#define ERRATA_CONVERSION_H
#include <stddef.h>
#include <stdint.h>

// Conversions between stored 16-bit floats (given as bit patterns) and float32 or binary64. Widening is exact;
// narrowing rounds to nearest, ties to even, overflows to infinity, and keeps NaN a NaN.

void errata_bf16_to_f32(const uint16_t *restrict source, float *restrict destination, size_t count);
void errata_f16_to_f32(const uint16_t *restrict source, float *restrict destination, size_t count);
void errata_f32_to_bf16(const float *restrict source, uint16_t *restrict destination, size_t count);
void errata_f32_to_f16(const float *restrict source, uint16_t *restrict destination, size_t count);

// Straight from binary64: rounding by way of float32 would round twice.
uint16_t errata_f64_to_bf16(double value);
uint16_t errata_f64_to_f16(double value);

#endif
