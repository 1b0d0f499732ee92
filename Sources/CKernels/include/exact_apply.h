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

// The elements that do not have exactly one candidate: the finite base values v with round(v + delta) = current are
// [low, high], as patterns in the order of their values (a magnitude m with sign is -1 - m). If there is no such value
// the interval is empty or holds one other value. What marks an element is its base value where that is known, else its
// index.
typedef struct {
  int32_t *low;
  int32_t *high;
  int32_t *marks;
} errata_open_elements_list;

// How many places of a list may be written beyond the last element.
enum { errata_open_elements_slack = 16 };

// Lists the elements that do not have exactly one candidate, in order. delta must not be -0, which a sum that starts
// from +0 never is. Whoever knows one candidate of every element gives them as `base`, which saves time. Else `base` is
// NULL, and `only` takes the candidates of the elements that have just one; the index of the first element is
// `first_index`.
//
// Returns how many elements were listed; the list has room for `count` of them and for the slack.
size_t errata_open_elements(
    errata_stored_type type, const uint8_t *base, const uint8_t *current, const double *delta, uint8_t *only,
    uint32_t first_index, errata_open_elements_list list, size_t count);

// Candidates of one sign in one binade, as nearly all sets are: the magnitudes of `count` values from `first` on. The
// distance to the next one is 2^size_bits units of a measure in which no distance is less than one (Spec: undo record).
typedef struct {
  int32_t first;
  int32_t sign;    // -1 for negative candidates, else 0
  uint32_t count;  // 0 if the set is not of this kind; else at least 2
  uint32_t size_bits;
} errata_even_candidates;

// Takes the intervals of `count` elements.
void errata_find_even_candidates(
    int fraction_bits, const int32_t *low, const int32_t *high, errata_even_candidates *sets, size_t count);

#endif
