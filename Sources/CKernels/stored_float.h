#ifndef ERRATA_STORED_FLOAT_H
#define ERRATA_STORED_FLOAT_H

#include <stdint.h>
#include <string.h>

#include "float_bits.h"

// Stored floats to and from binary64 by integer arithmetic and one addition: no branch, so that loops vectorise, and no
// subnormal operand, so that no processor mode can flush it.
//
// A format is its number of explicit fraction bits and the exponent of its smallest normal value. The quantum of a
// value is the value of its last fraction bit. Adding 2^52 quanta to a magnitude leaves the number of quanta in the low
// bits of the sum, rounded to nearest, ties to even, by the addition itself; that number, plus the exponent field less
// one, is the bit pattern, and a carry out of the fraction walks into the exponent as it should.

typedef struct {
  int fraction_bits;
  int minimum_exponent;
} stored_format;

static const stored_format stored_bf16 = {7, -126};
static const stored_format stored_f16 = {10, -14};
static const stored_format stored_f32 = {23, -126};

// The magnitude pattern of infinity: every finite magnitude is below it.
ERRATA_INLINE int64_t stored_infinity(stored_format format) {
  int64_t largest_field = (int64_t)2 * (1 - format.minimum_exponent) + 1;
  return largest_field << format.fraction_bits;
}

// The magnitude of a finite pattern without its sign; infinity reads as the next power of two.
ERRATA_INLINE double widen_magnitude(int64_t pattern, stored_format format) {
  int64_t field = pattern >> format.fraction_bits;
  int64_t steps = field < 1 ? 0 : field - 1;
  int64_t quanta = pattern - (steps << format.fraction_bits);
  int64_t magic = (steps + 1023 + 52 + format.minimum_exponent - format.fraction_bits) << 52;
  return binary64_of_bits((uint64_t)(magic + quanta)) - binary64_of_bits((uint64_t)magic);
}

// The pattern without its sign; `stored_infinity` for what rounds to infinity, and for NaN.
ERRATA_INLINE int64_t narrow_magnitude(double magnitude, stored_format format) {
  int64_t lowest = (int64_t)(1023 + format.minimum_exponent) << 52;
  int64_t highest = (int64_t)(1023 + 256) << 52;  // far above every format, and the magic number stays finite
  int64_t exponent = (int64_t)binary64_bits(magnitude) & 0x7ff0000000000000ll;
  exponent = exponent < lowest ? lowest : exponent;
  exponent = exponent > highest ? highest : exponent;
  int64_t magic = exponent + ((int64_t)(52 - format.fraction_bits) << 52);
  int64_t quanta = (int64_t)binary64_bits(magnitude + binary64_of_bits((uint64_t)magic)) - magic;
  int64_t pattern = ((exponent - lowest) >> (52 - format.fraction_bits)) + quanta;
  int64_t infinity = stored_infinity(format);
  return pattern > infinity ? infinity : pattern;
}

// Patterns in the order of their values: a magnitude m with sign is -1 - m, so -0 comes right before +0.
ERRATA_INLINE double widen_ordered(int64_t ordered, stored_format format) {
  int64_t sign = ordered >> 63;
  double magnitude = widen_magnitude(ordered ^ sign, format);
  return binary64_of_bits(binary64_bits(magnitude) | ((uint64_t)sign << 63));
}

ERRATA_INLINE int64_t narrow_ordered(double value, stored_format format) {
  uint64_t bits = binary64_bits(value);
  int64_t sign = -(int64_t)(bits >> 63);
  return narrow_magnitude(binary64_of_bits(bits & 0x7fffffffffffffffull), format) ^ sign;
}

ERRATA_INLINE int stored_bytes(stored_format format) { return format.fraction_bits == 23 ? 4 : 2; }

// A file promises no alignment, hence memcpy.
ERRATA_INLINE int64_t load_ordered(const uint8_t *source, size_t index, stored_format format) {
  if (stored_bytes(format) == 4) {
    int32_t bits;
    memcpy(&bits, source + 4 * index, 4);
    return bits < 0 ? bits ^ 0x7fffffff : bits;
  }
  int16_t bits;
  memcpy(&bits, source + 2 * index, 2);
  return bits < 0 ? bits ^ 0x7fff : bits;
}

ERRATA_INLINE void store_ordered(int64_t ordered, uint8_t *destination, size_t index, stored_format format) {
  if (stored_bytes(format) == 4) {
    int32_t bits = (int32_t)(ordered < 0 ? ordered ^ 0x7fffffff : ordered);
    memcpy(destination + 4 * index, &bits, 4);
  } else {
    int16_t bits = (int16_t)(ordered < 0 ? ordered ^ 0x7fff : ordered);
    memcpy(destination + 2 * index, &bits, 2);
  }
}

#endif
