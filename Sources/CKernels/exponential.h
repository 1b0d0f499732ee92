#ifndef ERRATA_EXPONENTIAL_H
#define ERRATA_EXPONENTIAL_H
#include <stdint.h>

#include "float_bits.h"

// e^x in float32 within 2 units in the last place, without branches or library calls, so that loops over it vectorize.
// x is clamped to the range in which the result is a normal number.
ERRATA_INLINE float exponential(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  // x = n ln 2 + r with |r| <= ln 2 / 2; adding and subtracting 1.5 * 2^23 rounds to the nearest integer.
  float shifted = x * 1.44269504088896341f + 12582912.0f;
  float n = shifted - 12582912.0f;
  float r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  // Minimax polynomial for e^r on that interval (Cephes, expf).
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  // The low bits of `shifted` are n, as a whole number; what is no number gives some number, times one that is none.
  return p * binary32_of_bits((binary32_bits(shifted) + 127u) << 23);
}

ERRATA_INLINE float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

// Through e^-2|x|, which cannot overflow; near zero the difference 1 - e^-2|x| would cancel, so a series takes over.
ERRATA_INLINE float hyperbolic_tangent(float x) {
  float magnitude = x < 0 ? -x : x;
  float e = exponential(-2.0f * magnitude);
  float far = (1.0f - e) / (1.0f + e);
  float square = x * x;
  float near = magnitude * (1.0f + square * (-1.0f / 3.0f + square * (2.0f / 15.0f - square * (17.0f / 315.0f))));
  float result = magnitude < 0.2f ? near : far;
  return x < 0 ? -result : result;
}

#endif
