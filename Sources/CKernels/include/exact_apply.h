#ifndef ERRATA_EXACT_APPLY_H
#define ERRATA_EXACT_APPLY_H
#include <stddef.h>
#include <stdint.h>

// The normative arithmetic of apply, and the sets of base values that it maps to one edited value. The order of every
// sum is fixed, so the results do not depend on blocking, threads or instruction sets.

typedef enum { errata_stored_bf16, errata_stored_f16, errata_stored_f32 } errata_stored_type;

typedef enum { errata_factor_f32, errata_factor_f16, errata_factor_i8 } errata_factor_type;

// One factor of a low-rank change, seen as facts x elements, wherever its values lie: the value of fact e at element i
// is stored[e * fact_stride + i * element_stride] * 2^exponents[e].
typedef struct {
  errata_factor_type type;
  const uint8_t *stored;
  size_t fact_stride;
  size_t element_stride;
  const int8_t *exponents;  // NULL: all zero
} errata_factor;

// delta[r * delta_stride + c] += rows[e][first_row + r] * columns[e][first_column + c] for e = 0, 1, ... in this order,
// in binary64. The products are exact.
void errata_accumulate_terms(
    const errata_factor *rows, size_t first_row, size_t row_count, const errata_factor *columns, size_t first_column,
    size_t column_count, size_t fact_count, double *delta, size_t delta_stride);

// result = base + delta, one addition in binary64, rounded once to the stored type, to nearest, ties to even.
// Returns the index of the first element whose base or result is not finite, or `count`. `result` may be `base`.
size_t errata_round_sums(
    errata_stored_type type, const uint8_t *base, const double *delta, uint8_t *result, size_t count);

// For every element the interval [low, high] of all finite base values v with round(v + delta) = current, as patterns
// in the order of their values (a magnitude m with sign is -1 - m). If there is no such value the interval is empty or
// holds one other value. delta must not be -0, which a sum that starts from +0 never is. Whoever knows one of the values,
// for every element, gives them as `base`, which saves time; else it is NULL.
//
// Returns how many elements do not have exactly one candidate, and sets the first so many of `open`, which has room for
// `count`, to their indices, ascending.
size_t errata_candidate_intervals(
    errata_stored_type type, const uint8_t *base, const uint8_t *current, const double *delta, int32_t *low,
    int32_t *high, uint32_t *open, size_t count);

// Stores values that are given as patterns in the order of values.
void errata_store_candidates(errata_stored_type type, const int32_t *values, uint8_t *base, size_t count);

#endif
