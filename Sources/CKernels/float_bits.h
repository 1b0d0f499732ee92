#ifndef ERRATA_FLOAT_BITS_H
#define ERRATA_FLOAT_BITS_H

#include <stdint.h>
#include <string.h>

#include "dispatch.h"

// Numbers and their patterns.

ERRATA_INLINE uint32_t binary32_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return bits;
}

ERRATA_INLINE float binary32_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

ERRATA_INLINE uint64_t binary64_bits(double value) {
  uint64_t bits;
  memcpy(&bits, &value, 8);
  return bits;
}

ERRATA_INLINE double binary64_of_bits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, 8);
  return value;
}

#endif
