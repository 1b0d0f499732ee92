#include "exact_apply.h"
#include "stored_float.h"

// Rounding v + delta to the stored type never decreases as v grows, so the base values that give one edited value lie
// side by side among the finite values. Three steps, each for what the one before leaves open: the base value, or if it is
// not known the value nearest to current - delta, is mostly the only one; else both ends are guessed and checked; else they
// are searched for.
//
// The checks of the first two steps are cheap and sure, not sharp: where the rounding of a sum or a tie might matter, they
// leave the element open.

enum { BLOCK = 256 };

ERRATA_INLINE int64_t edited(int64_t base, double delta, stored_format format) {
  return narrow_ordered(widen_ordered(base, format) + delta, format);
}

// Whether `value`, plus delta, rounds to `target` and its neighbours do not. So it is if the sum lies well within half a
// quantum of the target, and the neighbours lie no closer to the value than one quantum of the target.
ERRATA_INLINE int64_t is_only_candidate(int64_t value, int64_t target, double delta, stored_format format) {
  int64_t value_sign = value >> 63, target_sign = target >> 63;
  int64_t value_magnitude = value ^ value_sign, target_magnitude = target ^ target_sign;
  // Normal numbers, and no powers of two, whose neighbours towards zero are closer.
  int64_t fraction = ((int64_t)1 << format.fraction_bits) - 1;
  int64_t target_field = target_magnitude >> format.fraction_bits;
  int64_t is_plain = (int64_t)((value_magnitude & fraction) != 0) & (int64_t)((target_magnitude & fraction) != 0) &
                     (int64_t)(target_field > 0) & (int64_t)(value_magnitude >> format.fraction_bits >= target_field);
  int64_t rebias = (int64_t)(1022 + format.minimum_exponent) << 52;
  int shift = 52 - format.fraction_bits;
  double wide = binary64_of_bits((uint64_t)((value_magnitude << shift) + rebias) | ((uint64_t)value_sign << 63));
  uint64_t target_bits = (uint64_t)((target_magnitude << shift) + rebias);
  double miss = wide + delta - binary64_of_bits(target_bits | ((uint64_t)target_sign << 63));
  double exponent = binary64_of_bits(target_bits & 0x7ff0000000000000ull);
  double half_quantum = exponent * binary64_of_bits((uint64_t)(1023 - 1 - format.fraction_bits) << 52);
  return is_plain & (int64_t)(__builtin_fabs(miss) < half_quantum * (1 - 0x1p-20));
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

// One block; what is not unique is gathered first, so that the second step is a plain loop too.
ERRATA_INLINE size_t candidate_intervals_of_block(
    stored_format format, const uint8_t *base, const uint8_t *current, const double *restrict delta,
    int32_t *restrict low, int32_t *restrict high, uint32_t *restrict open, uint32_t first, size_t count) {
  uint8_t unique[BLOCK];
  for (size_t i = 0; i < count; i++) {
    int64_t target = load_ordered(current, i, format);
    int64_t guess = base ? load_ordered(base, i, format)
                         : narrow_ordered(widen_ordered(target, format) - delta[i], format);
    unique[i] = (uint8_t)is_only_candidate(guess, target, delta[i], format);
    low[i] = high[i] = (int32_t)guess;
  }
  size_t indices[BLOCK];
  int64_t targets[BLOCK], lows[BLOCK], highs[BLOCK], right[BLOCK];
  double deltas[BLOCK];
  size_t gathered = 0;
  for (size_t i = 0; i < count; i++) {
    indices[gathered] = i;
    gathered += !unique[i];
  }
  for (size_t k = 0; k < gathered; k++) {
    targets[k] = load_ordered(current, indices[k], format);
    deltas[k] = delta[indices[k]];
  }
  for (size_t k = 0; k < gathered; k++) {
    double low_error, high_error;
    double low_boundary = boundary_of(targets[k], deltas[k], format, &low_error);
    double high_boundary = boundary_of(targets[k] + 1, deltas[k], format, &high_error);
    lows[k] = guess_reaching(low_boundary, format);
    highs[k] = guess_reaching(high_boundary, format);
    right[k] = is_first_reaching(lows[k], low_boundary, low_error, format) &
               is_first_reaching(highs[k], high_boundary, high_error, format);
  }
  for (size_t k = 0; k < gathered; k++) {
    if (!right[k]) {
      lows[k] = search_reaching(targets[k], deltas[k], format);
      highs[k] = search_reaching(targets[k] + 1, deltas[k], format);
    }
    low[indices[k]] = (int32_t)lows[k];
    high[indices[k]] = (int32_t)(highs[k] - 1);
  }
  // One element at most is written beyond what is counted, and never beyond the block.
  size_t found = 0;
  for (size_t k = 0; k < gathered; k++) {
    open[found] = first + (uint32_t)indices[k];
    found += lows[k] != highs[k] - 1;
  }
  return found;
}

ERRATA_INLINE size_t candidate_intervals_body(
    stored_format format, const uint8_t *base, const uint8_t *current, const double *delta, int32_t *low, int32_t *high,
    uint32_t *open, size_t count) {
  size_t found = 0;
  for (size_t start = 0; start < count; start += BLOCK) {
    size_t block = count - start < BLOCK ? count - start : BLOCK;
    size_t offset = start * (size_t)stored_bytes(format);
    found += candidate_intervals_of_block(
        format, base ? base + offset : NULL, current + offset, delta + start, low + start, high + start, open + found,
        (uint32_t)start, block);
  }
  return found;
}

ERRATA_INLINE void store_candidates_body(stored_format format, const int32_t *values, uint8_t *base, size_t count) {
  for (size_t i = 0; i < count; i++) store_ordered(values[i], base, i, format);
}

// Calls a body with the format as a constant.
#define ERRATA_BY_FORMAT(type, body, ...)                         \
  switch (type) {                                                 \
    case errata_stored_bf16: return body(stored_bf16, __VA_ARGS__); \
    case errata_stored_f16: return body(stored_f16, __VA_ARGS__);   \
    case errata_stored_f32: return body(stored_f32, __VA_ARGS__);   \
  }

#define ERRATA_INTERVALS                                                                                       \
  errata_stored_type type, const uint8_t *base, const uint8_t *current, const double *delta, int32_t *low,     \
      int32_t *high, uint32_t *open, size_t count

ERRATA_INLINE size_t candidate_intervals_typed(ERRATA_INTERVALS) {
  // With and without a base are two loops, each without a branch.
  if (base) {
    ERRATA_BY_FORMAT(type, candidate_intervals_body, base, current, delta, low, high, open, count)
  }
  ERRATA_BY_FORMAT(type, candidate_intervals_body, NULL, current, delta, low, high, open, count)
  return 0;
}

static size_t candidate_intervals_baseline(ERRATA_INTERVALS) {
  return candidate_intervals_typed(type, base, current, delta, low, high, open, count);
}
#if defined(__x86_64__)
ERRATA_AVX2 static size_t candidate_intervals_avx2(ERRATA_INTERVALS) {
  return candidate_intervals_typed(type, base, current, delta, low, high, open, count);
}
ERRATA_AVX512 static size_t candidate_intervals_avx512(ERRATA_INTERVALS) {
  return candidate_intervals_typed(type, base, current, delta, low, high, open, count);
}
#endif

size_t errata_candidate_intervals(ERRATA_INTERVALS) {
  return ERRATA_WIDEST(candidate_intervals)(type, base, current, delta, low, high, open, count);
}

void errata_store_candidates(errata_stored_type type, const int32_t *values, uint8_t *base, size_t count) {
  ERRATA_BY_FORMAT(type, store_candidates_body, values, base, count)
}
