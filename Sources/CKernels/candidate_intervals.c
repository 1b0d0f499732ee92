#include "exact_apply.h"
#include "stored_float.h"

// Rounding v + delta to the stored type never decreases as v grows, so the base values that give one edited value lie
// side by side among the finite values. Three steps, each for what the one before leaves open: the value nearest to
// current - delta is mostly the only one; else both ends are guessed and checked; else they are searched for.

enum { BLOCK = 256 };

ERRATA_INLINE int64_t edited(int64_t base, double delta, stored_format format) {
  return narrow_ordered(widen_ordered(base, format) + delta, format);
}

// The guess for the least value whose edited value is at least `target`: the first value that is not below the rounding
// boundary less delta. Right but for ties and the rounding of the sums.
ERRATA_INLINE int64_t guess_reaching(int64_t target, double delta, stored_format format) {
  int64_t end = stored_infinity(format);
  double boundary = 0.5 * (widen_ordered(target - 1, format) + widen_ordered(target, format)) - delta;
  int64_t guess = narrow_ordered(boundary, format);
  guess += widen_ordered(guess, format) < boundary;
  guess = guess < 1 - end ? 1 - end : guess;
  return guess > end - 1 ? end - 1 : guess;
}

ERRATA_INLINE int64_t is_first_reaching(int64_t guess, int64_t target, double delta, stored_format format) {
  return (int64_t)(edited(guess, delta, format) >= target) & (int64_t)(edited(guess - 1, delta, format) < target);
}

// The least finite value whose edited value is at least `target`, one more than the largest finite value if none is:
// from the guess by steps that double, then by halving.
ERRATA_INLINE int64_t search_reaching(int64_t target, double delta, stored_format format) {
  int64_t guess = guess_reaching(target, delta, format);
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
    stored_format format, const uint8_t *current, const double *restrict delta, int32_t *restrict low,
    int32_t *restrict high, uint32_t *restrict open, uint32_t first, size_t count) {
  int64_t largest = stored_infinity(format) - 1;
  int64_t unique[BLOCK];
  for (size_t i = 0; i < count; i++) {
    int64_t target = load_ordered(current, i, format);
    int64_t guess = narrow_ordered(widen_ordered(target, format) - delta[i], format);
    // At the ends of the finite range one neighbour is missing: the guess moves inwards, and the tests below fail.
    guess = guess < 1 - largest ? 1 - largest : guess;
    guess = guess > largest - 1 ? largest - 1 : guess;
    unique[i] = (int64_t)(edited(guess - 1, delta[i], format) < target) &
                (int64_t)(edited(guess + 1, delta[i], format) > target);
    low[i] = high[i] = (int32_t)guess;
  }
  size_t indices[BLOCK];
  int64_t targets[BLOCK], lows[BLOCK], highs[BLOCK], right[BLOCK];
  double deltas[BLOCK];
  size_t gathered = 0;
  for (size_t i = 0; i < count; i++) {
    indices[gathered] = i;
    targets[gathered] = load_ordered(current, i, format);
    deltas[gathered] = delta[i];
    gathered += !unique[i];
  }
  for (size_t k = 0; k < gathered; k++) {
    lows[k] = guess_reaching(targets[k], deltas[k], format);
    highs[k] = guess_reaching(targets[k] + 1, deltas[k], format);
    right[k] = is_first_reaching(lows[k], targets[k], deltas[k], format) &
               is_first_reaching(highs[k], targets[k] + 1, deltas[k], format);
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
    stored_format format, const uint8_t *current, const double *delta, int32_t *low, int32_t *high, uint32_t *open,
    size_t count) {
  size_t found = 0;
  for (size_t start = 0; start < count; start += BLOCK) {
    size_t block = count - start < BLOCK ? count - start : BLOCK;
    const uint8_t *block_current = current + start * (size_t)stored_bytes(format);
    found += candidate_intervals_of_block(
        format, block_current, delta + start, low + start, high + start, open + found, (uint32_t)start, block);
  }
  return found;
}

ERRATA_INLINE int are_candidates_body(
    stored_format format, const uint8_t *base, const int32_t *low, const int32_t *high, size_t count) {
  int fault = 0;
  for (size_t i = 0; i < count; i++) {
    int32_t value = (int32_t)load_ordered(base, i, format);
    fault |= (value < low[i]) | (value > high[i]);
  }
  return !fault;
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
  errata_stored_type type, const uint8_t *current, const double *delta, int32_t *low, int32_t *high, uint32_t *open, \
      size_t count

ERRATA_INLINE size_t candidate_intervals_typed(ERRATA_INTERVALS) {
  ERRATA_BY_FORMAT(type, candidate_intervals_body, current, delta, low, high, open, count)
  return 0;
}

static size_t candidate_intervals_baseline(ERRATA_INTERVALS) {
  return candidate_intervals_typed(type, current, delta, low, high, open, count);
}
#if defined(__x86_64__)
ERRATA_AVX2 static size_t candidate_intervals_avx2(ERRATA_INTERVALS) {
  return candidate_intervals_typed(type, current, delta, low, high, open, count);
}
ERRATA_AVX512 static size_t candidate_intervals_avx512(ERRATA_INTERVALS) {
  return candidate_intervals_typed(type, current, delta, low, high, open, count);
}
#endif

size_t errata_candidate_intervals(ERRATA_INTERVALS) {
  return ERRATA_WIDEST(candidate_intervals)(type, current, delta, low, high, open, count);
}

int errata_are_candidates(
    errata_stored_type type, const uint8_t *base, const int32_t *low, const int32_t *high, size_t count) {
  ERRATA_BY_FORMAT(type, are_candidates_body, base, low, high, count)
  return 0;
}

void errata_store_candidates(errata_stored_type type, const int32_t *values, uint8_t *base, size_t count) {
  ERRATA_BY_FORMAT(type, store_candidates_body, values, base, count)
}
