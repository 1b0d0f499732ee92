#include "exact_apply.h"
#include "stored_float.h"

// Rounding v + delta to the stored type never decreases as v grows, so the base values that give one edited value lie
// side by side among the finite values. Three steps, each for what the one before leaves open: one candidate is known,
// and the others are counted from it; else both ends are guessed and checked; else they are searched for.
//
// The checks of the first two steps are cheap and sure, not sharp: where the rounding of a sum or a tie might matter,
// they leave the element open.

enum { BLOCK = 512 };

ERRATA_INLINE int64_t edited(int64_t base, double delta, stored_format format) {
  return narrow_ordered(widen_ordered(base, format) + delta, format);
}

// The binary32 pattern of a magnitude, if it is a normal number.
ERRATA_INLINE uint32_t float_bits(uint32_t magnitude, stored_format format) {
  return (magnitude << (23 - format.fraction_bits)) + ((uint32_t)(126 + format.minimum_exponent) << 23);
}

ERRATA_INLINE float float_of_ordered(int32_t ordered, stored_format format) {
  int32_t sign = ordered >> 31;
  return binary32_of_bits(float_bits((uint32_t)(ordered ^ sign), format) | ((uint32_t)sign & 0x80000000u));
}

// How many candidates lie below `value`, and how many above, given that `value` is one: as many as fit, one quantum of
// the value apart, between value + delta and the ends of what rounds to `target`, half a quantum of the target from it.
// `miss` is value + delta - target.
//
// Returns whether that is sure: the numbers of quanta are not so near to whole numbers that an error could matter, the
// candidates do not reach out of the value's binade, except to its upper end, and neither number is so close to the
// ends of the format that a power of two below is out of the range of binary32.
ERRATA_INLINE int32_t
count_neighbours(int32_t value, int32_t target, float miss, stored_format format, int32_t *below, int32_t *above) {
  int bits = format.fraction_bits;
  int32_t fraction = (1 << bits) - 1;
  uint32_t exponent = 0x7f800000;
  int32_t value_sign = value >> 31, target_sign = target >> 31;
  int32_t value_magnitude = value ^ value_sign;
  uint32_t value_bits = float_bits((uint32_t)value_magnitude, format);
  uint32_t target_bits = float_bits((uint32_t)(target ^ target_sign), format);
  uint32_t least_field =
      (uint32_t)(127 + format.minimum_exponent > bits + 3 ? 127 + format.minimum_exponent : bits + 3);
  uint32_t least_bits = value_bits < target_bits ? value_bits : target_bits;
  int32_t last_binade = (int32_t)stored_infinity(format) - fraction - 1;
  // From here on in quanta of the value.
  float offset = miss * binary32_of_bits(((uint32_t)(254 + bits) << 23) - (value_bits & exponent));
  float half_quantum = binary32_of_bits((126u << 23) + (target_bits & exponent) - (value_bits & exponent));
  // A power of two is preceded by a shorter quantum.
  float inner = (target_bits & ~exponent) == 0 ? 0.5f * half_quantum : half_quantum;
  float down = (target_sign ? half_quantum : inner) + offset, up = (target_sign ? inner : half_quantum) - offset;
  // What the numbers may be off by, as long as half a quantum is below `far`: the sum in binary64 then by less than
  // 2^-21.
  float error = 0x1p-20f * (1 + half_quantum), far = binary32_of_bits((uint32_t)(127 + 27 - bits) << 23);
  down = down < far ? down : far;
  up = up < far ? up : far;
  down = down > -1 ? down : -1;
  up = up > -1 ? up : -1;
  *below = (int32_t)down;
  *above = (int32_t)up;
  // Of what is beyond the whole number, the distance from the middle.
  float down_middle = __builtin_fabsf(down - (float)*below - 0.5f),
        up_middle = __builtin_fabsf(up - (float)*above - 0.5f);
  float to_zero = value_sign ? up : down, from_zero = value_sign ? down : up;
  float place = (float)(value_magnitude & fraction);
  return (least_bits > least_field << 23) & (value_magnitude < last_binade) & (half_quantum < far) &
         ((down_middle > up_middle ? down_middle : up_middle) < 0.5f - error) & (to_zero + error < place + 0.5f) &
         (from_zero + error < (float)(fraction + 2) - place);
}

// The boundary from which on sums round to `target` or above, less delta.
ERRATA_INLINE double boundary_of(int64_t target, double delta, stored_format format, double *error) {
  double middle = 0.5 * (widen_ordered(target - 1, format) + widen_ordered(target, format));
  double boundary = middle - delta;
  // More than what this difference, or a sum near the middle, is off by.
  *error = 0x1p-50 * (__builtin_fabs(middle) + __builtin_fabs(boundary));
  return boundary;
}

// The guess for the least value whose edited value is at least `target`: the first value that is not below the rounding
// boundary less delta. Right but for ties and the rounding of the sums.
ERRATA_INLINE int64_t guess_reaching(double boundary, stored_format format) {
  int64_t end = stored_infinity(format);
  int64_t guess = narrow_ordered(boundary, format);
  guess += widen_ordered(guess, format) < boundary;
  guess = guess < 1 - end ? 1 - end : guess;
  return guess > end - 1 ? end - 1 : guess;
}

// Whether the guess is beyond doubt.
ERRATA_INLINE int64_t is_first_reaching(int64_t guess, double boundary, double error, stored_format format) {
  return (int64_t)(widen_ordered(guess, format) > boundary + error) &
         (int64_t)(widen_ordered(guess - 1, format) < boundary - error);
}

// The least finite value whose edited value is at least `target`, one more than the largest finite value if none is:
// from the guess by steps that double, then by halving.
ERRATA_INLINE int64_t search_reaching(int64_t target, double delta, stored_format format) {
  double error;
  int64_t guess = guess_reaching(boundary_of(target, delta, format, &error), format);
  // All below `low` fall short of the target; `high` and all above reach it.
  int64_t low = -stored_infinity(format);
  int64_t high = -low;
  int64_t step = 1;
  if (edited(guess, delta, format) >= target) {
    high = guess;
    for (int64_t probe = guess - step; probe >= low; probe -= step *= 2) {
      if (edited(probe, delta, format) < target) {
        low = probe + 1;
        break;
      }
      high = probe;
    }
  } else {
    low = guess + 1;
    for (int64_t probe = guess + step; probe < high; probe += step *= 2) {
      if (edited(probe, delta, format) >= target) {
        high = probe;
        break;
      }
      low = probe + 1;
    }
  }
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    if (edited(middle, delta, format) >= target) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

// The intervals of some elements of a block, whose ends cannot just be counted.
ERRATA_INLINE void bound_candidates(
    stored_format format, const uint8_t *current, const double *delta, int32_t *low, int32_t *high,
    const uint16_t *indices, size_t count) {
  int64_t targets[BLOCK], lows[BLOCK], highs[BLOCK], right[BLOCK];
  double deltas[BLOCK];
  for (size_t k = 0; k < count; k++) {
    targets[k] = load_ordered(current, indices[k], format);
    deltas[k] = delta[indices[k]];
  }
  for (size_t k = 0; k < count; k++) {
    double low_error, high_error;
    double low_boundary = boundary_of(targets[k], deltas[k], format, &low_error);
    double high_boundary = boundary_of(targets[k] + 1, deltas[k], format, &high_error);
    lows[k] = guess_reaching(low_boundary, format);
    highs[k] = guess_reaching(high_boundary, format);
    right[k] = is_first_reaching(lows[k], low_boundary, low_error, format) &
               is_first_reaching(highs[k], high_boundary, high_error, format);
  }
  for (size_t k = 0; k < count; k++) {
    if (!right[k]) {
      lows[k] = search_reaching(targets[k], deltas[k], format);
      highs[k] = search_reaching(targets[k] + 1, deltas[k], format);
    }
    low[indices[k]] = (int32_t)lows[k];
    high[indices[k]] = (int32_t)(highs[k] - 1);
  }
}

#if defined(__x86_64__)
ERRATA_AVX512 static size_t list_open_elements_avx512(
    const int32_t *low, const int32_t *high, const int32_t *marks, size_t count, errata_open_elements_list list,
    size_t listed) {
  for (size_t i = 0; i < count; i += 16) {
    __mmask16 present = count - i < 16 ? (__mmask16)((1u << (count - i)) - 1) : (__mmask16)0xffff;
    __m512i lows = _mm512_maskz_loadu_epi32(present, low + i), highs = _mm512_maskz_loadu_epi32(present, high + i);
    __mmask16 open = _mm512_cmpneq_epi32_mask(lows, highs);
    _mm512_storeu_si512(list.low + listed, _mm512_maskz_compress_epi32(open, lows));
    _mm512_storeu_si512(list.high + listed, _mm512_maskz_compress_epi32(open, highs));
    __m512i present_marks = _mm512_maskz_loadu_epi32(present, marks + i);
    _mm512_storeu_si512(list.marks + listed, _mm512_maskz_compress_epi32(open, present_marks));
    listed += (size_t)__builtin_popcount(open);
  }
  return listed;
}
#endif

// Appends the elements whose interval does not hold exactly one value, with what they are marked by.
ERRATA_INLINE size_t list_open_elements(
    errata_processor processor, const int32_t *low, const int32_t *high, const int32_t *marks, size_t count,
    errata_open_elements_list list, size_t listed) {
#if defined(__x86_64__)
  if (processor == errata_avx512) { return list_open_elements_avx512(low, high, marks, count, list, listed); }
#else
  (void)processor;
#endif
  for (size_t i = 0; i < count; i++) {
    list.low[listed] = low[i];
    list.high[listed] = high[i];
    list.marks[listed] = marks[i];
    listed += low[i] != high[i];
  }
  return listed;
}

ERRATA_INLINE void bound_block(
    stored_format format, const uint8_t *base, const uint8_t *current, const double *restrict delta,
    int32_t *restrict values, int32_t *restrict low, int32_t *restrict high, size_t count) {
  uint8_t is_open[BLOCK] = {0};
  float misses[BLOCK];
  for (size_t i = 0; i < count; i++) {
    int64_t target = load_ordered(current, i, format);
    // If any value rounds to the target, then the nearest does.
    values[i] = (int32_t)(base ? load_ordered(base, i, format)
                               : narrow_ordered(widen_ordered(target, format) - delta[i], format));
    double sum = (double)float_of_ordered(values[i], format) + delta[i];
    misses[i] = (float)(sum - (double)float_of_ordered((int32_t)target, format));
  }
  // Of 32-bit numbers alone, this loop has twice as many elements in a vector.
  for (size_t i = 0; i < count; i++) {
    int32_t below, above;
    int32_t target = (int32_t)load_ordered(current, i, format);
    int32_t is_sure = count_neighbours(values[i], target, misses[i], format, &below, &above);
    low[i] = values[i] - below;
    high[i] = values[i] + above;
    is_open[i] = (uint8_t)!is_sure;
  }
  uint16_t open[BLOCK + 8];
  size_t open_count = 0;
  for (size_t start = 0; start < count; start += 8) {
    uint64_t any;
    memcpy(&any, is_open + start, 8);
    if (!any) continue;
    for (size_t i = start; i < start + 8; i++) {
      open[open_count] = (uint16_t)i;
      open_count += is_open[i];
    }
  }
  bound_candidates(format, current, delta, low, high, open, open_count);
}

ERRATA_INLINE size_t open_elements_body(
    stored_format format, errata_processor processor, const uint8_t *base, const uint8_t *current, const double *delta,
    uint8_t *only, uint32_t first_index, errata_open_elements_list list, size_t count) {
  size_t width = (size_t)stored_bytes(format), listed = 0;
  for (size_t start = 0; start < count; start += BLOCK) {
    int32_t marks[BLOCK], low[BLOCK], high[BLOCK];
    size_t length = count - start < BLOCK ? count - start : BLOCK;
    bound_block(
        format, base ? base + start * width : NULL, current + start * width, delta + start, marks, low, high, length);
    if (!base) {
      for (size_t i = 0; i < length; i++) store_ordered(low[i], only + start * width, i, format);
      for (size_t i = 0; i < length; i++) marks[i] = (int32_t)(first_index + start + i);
    }
    listed = list_open_elements(processor, low, high, marks, length, list, listed);
  }
  return listed;
}

// Calls a body with the format as a constant.
#define ERRATA_BY_FORMAT(type, body, ...)                           \
  switch (type) {                                                   \
    case errata_stored_bf16: return body(stored_bf16, __VA_ARGS__); \
    case errata_stored_f16: return body(stored_f16, __VA_ARGS__);   \
    case errata_stored_f32: return body(stored_f32, __VA_ARGS__);   \
  }

#define ERRATA_ELEMENTS                                                                                     \
  errata_stored_type type, const uint8_t *base, const uint8_t *current, const double *delta, uint8_t *only, \
      uint32_t first_index, errata_open_elements_list list, size_t count

ERRATA_INLINE size_t open_elements_typed(errata_processor processor, ERRATA_ELEMENTS) {
  // With and without a base are two loops, each without a branch.
  if (base) {
    ERRATA_BY_FORMAT(type, open_elements_body, processor, base, current, delta, only, first_index, list, count)
  }
  ERRATA_BY_FORMAT(type, open_elements_body, processor, NULL, current, delta, only, first_index, list, count)
  return 0;
}

static size_t open_elements_baseline(ERRATA_ELEMENTS) {
  return open_elements_typed(errata_baseline, type, base, current, delta, only, first_index, list, count);
}
#if defined(__x86_64__)
ERRATA_AVX2 static size_t open_elements_avx2(ERRATA_ELEMENTS) {
  return open_elements_typed(errata_avx2, type, base, current, delta, only, first_index, list, count);
}
ERRATA_AVX512 static size_t open_elements_avx512(ERRATA_ELEMENTS) {
  return open_elements_typed(errata_avx512, type, base, current, delta, only, first_index, list, count);
}
#endif

size_t errata_open_elements(ERRATA_ELEMENTS) {
  return ERRATA_WIDEST(open_elements)(type, base, current, delta, only, first_index, list, count);
}

ERRATA_INLINE void even_candidates_body(
    int fraction_bits, const int32_t *low, const int32_t *high, errata_even_candidates *restrict sets, size_t count) {
  for (size_t k = 0; k < count; k++) {
    int32_t sign = low[k] >> 31, one = low[k] ^ sign, other = high[k] ^ sign;
    int32_t first = one < other ? one : other, last = one < other ? other : one;
    int32_t binade = first >> fraction_bits;
    int32_t is_even = (first > 0) & (low[k] < high[k]) & (binade == last >> fraction_bits);
    int32_t size_bits = binade - 1 < 28 - fraction_bits ? binade - 1 : 28 - fraction_bits;
    sets[k].first = first;
    sets[k].sign = sign;
    sets[k].count = is_even ? (uint32_t)(last - first + 1) : 0;
    sets[k].size_bits = (uint32_t)(size_bits > 0 ? size_bits : 0);
  }
}

#define ERRATA_SETS \
  int fraction_bits, const int32_t *low, const int32_t *high, errata_even_candidates *sets, size_t count

static void even_candidates_baseline(ERRATA_SETS) { even_candidates_body(fraction_bits, low, high, sets, count); }
#if defined(__x86_64__)
ERRATA_AVX2 static void even_candidates_avx2(ERRATA_SETS) {
  even_candidates_body(fraction_bits, low, high, sets, count);
}
ERRATA_AVX512 static void even_candidates_avx512(ERRATA_SETS) {
  even_candidates_body(fraction_bits, low, high, sets, count);
}
#endif

void errata_find_even_candidates(ERRATA_SETS) { ERRATA_WIDEST(even_candidates)(fraction_bits, low, high, sets, count); }
