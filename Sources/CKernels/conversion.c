#include "conversion.h"

#include "float_bits.h"

ERRATA_INLINE void bf16_to_f32_body(const uint16_t *restrict source, float *restrict destination, size_t count) {
  for (size_t i = 0; i < count; i++) { destination[i] = binary32_of_bits((uint32_t)source[i] << 16); }
}

ERRATA_INLINE uint16_t bf16_of_f32(float value) {
  uint32_t bits = binary32_bits(value);
  uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  // A NaN whose payload sits in the low bits would round to infinity: set the quiet bit instead.
  uint32_t nan = (bits >> 16) | 0x40u;
  return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
}

ERRATA_INLINE void f32_to_bf16_body(const float *restrict source, uint16_t *restrict destination, size_t count) {
  for (size_t i = 0; i < count; i++) { destination[i] = bf16_of_f32(source[i]); }
}

#if !ERRATA_HAS_FLOAT16
static float f32_of_f16(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
  uint32_t exponent = (half >> 10) & 0x1fu;
  uint32_t fraction = half & 0x3ffu;
  if (exponent == 0x1fu) {
    // The hardware conversion makes a signalling NaN quiet: so does this one.
    return binary32_of_bits(sign | 0x7f800000u | (fraction << 13) | (fraction ? 0x400000u : 0));
  }
  if (exponent == 0) {
    float magnitude = (float)fraction * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  return binary32_of_bits(sign | ((exponent + 112u) << 23) | (fraction << 13));
}
#endif

// Rounds a binary64 value to a narrower format with `fraction_bits` explicit fraction bits and exponent range
// [1 - bias, bias], to nearest, ties to even, by integer arithmetic on its bits.
ERRATA_INLINE uint32_t narrow(double value, int fraction_bits, int bias) {
  uint64_t bits = binary64_bits(value);
  int exponent_bits = fraction_bits == 7 ? 8 : 5;
  uint32_t sign = (uint32_t)(bits >> 63) << (exponent_bits + fraction_bits);
  uint32_t infinity = ((1u << exponent_bits) - 1u) << fraction_bits;
  uint64_t magnitude = bits & 0x7fffffffffffffffull;
  if (magnitude > 0x7ff0000000000000ull) { return sign | infinity | (1u << (fraction_bits - 1)); }
  if (magnitude == 0x7ff0000000000000ull) { return sign | infinity; }
  int exponent = (int)(magnitude >> 52) - 1023;
  if (exponent < -1022) {
    return sign;  // a binary64 subnormal is far below half of the smallest value of either format
  }
  uint64_t significand = (magnitude & 0xfffffffffffffull) | 0x10000000000000ull;
  int drop = 52 - fraction_bits;
  uint32_t biased;
  if (exponent < 1 - bias) {
    drop += 1 - bias - exponent;
    biased = 0;
  } else {
    biased = (uint32_t)(exponent + bias);
  }
  if (drop > 54) { return sign; }
  uint64_t kept = significand >> drop;
  uint64_t rest = significand & ((1ull << drop) - 1);
  uint64_t half = 1ull << (drop - 1);
  kept += rest > half || (rest == half && (kept & 1));
  // A carry out of the fraction walks into the exponent, as it should; for a normal number the hidden bit is taken off.
  uint64_t magnitude_bits = biased == 0 ? kept : ((uint64_t)(biased - 1) << fraction_bits) + kept;
  return sign | (uint32_t)(magnitude_bits >= infinity ? infinity : magnitude_bits);
}

uint16_t errata_f64_to_bf16(double value) { return (uint16_t)narrow(value, 7, 127); }

uint16_t errata_f64_to_f16(double value) { return (uint16_t)narrow(value, 10, 15); }

#if ERRATA_HAS_FLOAT16
ERRATA_INLINE void f16_to_f32_baseline(const uint16_t *restrict source, float *restrict destination, size_t count) {
  for (size_t i = 0; i < count; i++) {
    _Float16 value;
    memcpy(&value, source + i, 2);
    destination[i] = (float)value;
  }
}

ERRATA_INLINE void f32_to_f16_baseline(const float *restrict source, uint16_t *restrict destination, size_t count) {
  for (size_t i = 0; i < count; i++) {
    _Float16 value = (_Float16)source[i];
    uint16_t bits, nan = (uint16_t)(0x7e00u | (binary32_bits(source[i]) >> 16 & 0x8000u));
    memcpy(&bits, &value, 2);
    destination[i] = source[i] == source[i] ? bits : nan;
  }
}
#else
ERRATA_INLINE void f16_to_f32_baseline(const uint16_t *restrict source, float *restrict destination, size_t count) {
  for (size_t i = 0; i < count; i++) { destination[i] = f32_of_f16(source[i]); }
}

ERRATA_INLINE void f32_to_f16_baseline(const float *restrict source, uint16_t *restrict destination, size_t count) {
  for (size_t i = 0; i < count; i++) { destination[i] = errata_f64_to_f16((double)source[i]); }
}
#endif

#if defined(__x86_64__)

ERRATA_AVX2 static void f16_to_f32_avx2(const uint16_t *restrict source, float *restrict destination, size_t count) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    _mm256_storeu_ps(destination + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(source + i))));
  }
  f16_to_f32_baseline(source + i, destination + i, count - i);
}

ERRATA_AVX2 static void f32_to_f16_avx2(const float *restrict source, uint16_t *restrict destination, size_t count) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    __m256 values = _mm256_loadu_ps(source + i);
    // NaNs take the baseline's path, so that both paths give the same payload.
    if (_mm256_movemask_ps(_mm256_cmp_ps(values, values, _CMP_UNORD_Q))) {
      f32_to_f16_baseline(source + i, destination + i, 8);
    } else {
      _mm_storeu_si128((__m128i *)(destination + i), _mm256_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT));
    }
  }
  f32_to_f16_baseline(source + i, destination + i, count - i);
}

#endif

ERRATA_KERNEL(
    bf16_to_f32, (const uint16_t *restrict source, float *restrict destination, size_t count),
    (source, destination, count))
ERRATA_KERNEL(
    f32_to_bf16, (const float *restrict source, uint16_t *restrict destination, size_t count),
    (source, destination, count))

void errata_f16_to_f32(const uint16_t *restrict source, float *restrict destination, size_t count) {
  ERRATA_WIDE(f16_to_f32)(source, destination, count);
}

void errata_f32_to_f16(const float *restrict source, uint16_t *restrict destination, size_t count) {
  ERRATA_WIDE(f32_to_f16)(source, destination, count);
}
