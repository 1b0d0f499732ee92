#include "exact_apply.h"

#include "stored_float.h"

// Register and cache blocks: a tile of sums stays in registers over a block of facts, whose factor values stay in L1/L2.
enum { TILE_ROWS = 4, TILE_COLUMNS = 12, FACT_BLOCK = 64, COLUMN_BLOCK = 240 };

ERRATA_INLINE size_t smaller(size_t left, size_t right) { return left < right ? left : right; }

ERRATA_INLINE double factor_value(const uint8_t *stored, size_t index, errata_factor_type type) {
  switch (type) {
    case errata_factor_f32: {
      float value;
      memcpy(&value, stored + 4 * index, 4);
      return (double)value;
    }
    case errata_factor_f16: {
      int64_t ordered = load_ordered(stored, index, stored_f16);
      int64_t magnitude = ordered ^ (ordered >> 63);
      // What is not finite must not pass for a number.
      return magnitude >= stored_infinity(stored_f16) ? __builtin_nan("") : widen_ordered(ordered, stored_f16);
    }
    case errata_factor_i8: return (double)(int8_t)stored[index];
  }
  return __builtin_nan("");
}

ERRATA_INLINE void pack_typed(
    const errata_factor *factor, errata_factor_type type, size_t first_element, size_t element_count,
    size_t first_fact, size_t fact_count, size_t width, double *restrict panels) {
  const uint8_t *stored = factor->stored;
  size_t stride = factor->element_stride;
  for (size_t start = 0; start < element_count; start += width) {
    size_t present = smaller(width, element_count - start);
    for (size_t e = first_fact; e < first_fact + fact_count; e++, panels += width) {
      double scale = factor->exponents ? binary64_of_bits((uint64_t)(1023 + factor->exponents[e]) << 52) : 1.0;
      size_t first = e * factor->fact_stride + (first_element + start) * stride;
      for (size_t i = 0; i < present; i++) panels[i] = factor_value(stored, first + i * stride, type) * scale;
      for (size_t i = present; i < width; i++) panels[i] = 0.0;
    }
  }
}

// Panels of `width` elements, each facts x width; elements beyond the last are zero.
ERRATA_INLINE void pack(
    const errata_factor *factor, size_t first_element, size_t element_count, size_t first_fact, size_t fact_count,
    size_t width, double *panels) {
  switch (factor->type) {
    case errata_factor_f32:
      pack_typed(factor, errata_factor_f32, first_element, element_count, first_fact, fact_count, width, panels);
      break;
    case errata_factor_f16:
      pack_typed(factor, errata_factor_f16, first_element, element_count, first_fact, fact_count, width, panels);
      break;
    case errata_factor_i8:
      pack_typed(factor, errata_factor_i8, first_element, element_count, first_fact, fact_count, width, panels);
      break;
  }
}

// Vectors by name: the compiler keeps an array of scalars in memory.
typedef double vector __attribute__((vector_size(32), aligned(8), may_alias));
enum { LANES = 4, TILE_VECTORS = TILE_COLUMNS / LANES };

ERRATA_INLINE void accumulate_tile(
    const double *restrict rows, const double *restrict columns, size_t fact_count, double *restrict tile,
    size_t stride) {
// A product of two float32 values is exact in binary64: fused or not, the sum is the same.
#pragma clang fp contract(fast)
  vector sums[TILE_ROWS][TILE_VECTORS];
  for (int r = 0; r < TILE_ROWS; r++) {
    for (int v = 0; v < TILE_VECTORS; v++) sums[r][v] = *(const vector *)(tile + (size_t)r * stride + v * LANES);
  }
  for (size_t e = 0; e < fact_count; e++, rows += TILE_ROWS, columns += TILE_COLUMNS) {
    for (int r = 0; r < TILE_ROWS; r++) {
      for (int v = 0; v < TILE_VECTORS; v++) sums[r][v] += rows[r] * *(const vector *)(columns + v * LANES);
    }
  }
  for (int r = 0; r < TILE_ROWS; r++) {
    for (int v = 0; v < TILE_VECTORS; v++) *(vector *)(tile + (size_t)r * stride + v * LANES) = sums[r][v];
  }
}

// A tile that hangs over the edge is computed in a copy.
ERRATA_INLINE void accumulate_edge_tile(
    const double *rows, const double *columns, size_t fact_count, size_t row_count, size_t column_count, double *delta,
    size_t stride) {
  double tile[TILE_ROWS * TILE_COLUMNS] = {0};
  for (size_t r = 0; r < row_count; r++) memcpy(tile + r * TILE_COLUMNS, delta + r * stride, column_count * 8);
  accumulate_tile(rows, columns, fact_count, tile, TILE_COLUMNS);
  for (size_t r = 0; r < row_count; r++) memcpy(delta + r * stride, tile + r * TILE_COLUMNS, column_count * 8);
}

ERRATA_INLINE void accumulate_terms_body(
    const errata_factor *rows, size_t first_row, size_t row_count, const errata_factor *columns, size_t first_column,
    size_t column_count, size_t fact_count, double *delta, size_t stride) {
  double row_panel[FACT_BLOCK * TILE_ROWS];
  double column_panels[FACT_BLOCK * COLUMN_BLOCK];
  for (size_t column = 0; column < column_count; column += COLUMN_BLOCK) {
    size_t block_columns = smaller(COLUMN_BLOCK, column_count - column);
    for (size_t fact = 0; fact < fact_count; fact += FACT_BLOCK) {
      size_t facts = smaller(FACT_BLOCK, fact_count - fact);
      pack(columns, first_column + column, block_columns, fact, facts, TILE_COLUMNS, column_panels);
      for (size_t row = 0; row < row_count; row += TILE_ROWS) {
        size_t tile_rows = smaller(TILE_ROWS, row_count - row);
        pack(rows, first_row + row, tile_rows, fact, facts, TILE_ROWS, row_panel);
        for (size_t c = 0; c < block_columns; c += TILE_COLUMNS) {
          size_t tile_columns = smaller(TILE_COLUMNS, block_columns - c);
          double *tile = delta + row * stride + column + c;
          if (tile_rows == TILE_ROWS && tile_columns == TILE_COLUMNS) {
            accumulate_tile(row_panel, column_panels + c * facts, facts, tile, stride);
          } else {
            accumulate_edge_tile(row_panel, column_panels + c * facts, facts, tile_rows, tile_columns, tile, stride);
          }
        }
      }
    }
  }
}

// `base` and `result` may be the same memory, element by element, so neither is `restrict`.
ERRATA_INLINE size_t round_sums_body(
    stored_format format, const uint8_t *base, const double *restrict delta, uint8_t *result, size_t count) {
  enum { BLOCK = 512 };
  int64_t infinity = stored_infinity(format);
  for (size_t start = 0; start < count; start += BLOCK) {
    size_t end = start + smaller(BLOCK, count - start);
    uint8_t rounded[BLOCK * 4];
    int64_t failures = 0;
    for (size_t i = start; i < end; i++) {
      int64_t ordered = load_ordered(base, i, format);
      int64_t sum = narrow_ordered(widen_ordered(ordered, format) + delta[i], format);
      failures |= ((ordered ^ (ordered >> 63)) >= infinity) | ((sum ^ (sum >> 63)) >= infinity);
      store_ordered(sum, rounded, i - start, format);
    }
    if (failures) {
      for (size_t i = start; i < end; i++) {
        int64_t ordered = load_ordered(base, i, format);
        int64_t sum = load_ordered(rounded, i - start, format);
        if ((ordered ^ (ordered >> 63)) >= infinity || (sum ^ (sum >> 63)) >= infinity) return i;
      }
    }
    size_t width = (size_t)stored_bytes(format);
    memcpy(result + start * width, rounded, (end - start) * width);
  }
  return count;
}

ERRATA_INLINE size_t round_sums_typed(
    errata_stored_type type, const uint8_t *base, const double *delta, uint8_t *result, size_t count) {
  switch (type) {
    case errata_stored_bf16: return round_sums_body(stored_bf16, base, delta, result, count);
    case errata_stored_f16: return round_sums_body(stored_f16, base, delta, result, count);
    case errata_stored_f32: return round_sums_body(stored_f32, base, delta, result, count);
  }
  return 0;
}

#if defined(__x86_64__)
ERRATA_AVX2 static void accumulate_terms_avx2(
    const errata_factor *rows, size_t first_row, size_t row_count, const errata_factor *columns, size_t first_column,
    size_t column_count, size_t fact_count, double *delta, size_t stride) {
  accumulate_terms_body(rows, first_row, row_count, columns, first_column, column_count, fact_count, delta, stride);
}

ERRATA_AVX2 static size_t round_sums_avx2(
    errata_stored_type type, const uint8_t *base, const double *delta, uint8_t *result, size_t count) {
  return round_sums_typed(type, base, delta, result, count);
}

#define ERRATA_CHOOSE(avx2, portable) (errata_has_avx2() ? avx2 : portable)
#else
#define ERRATA_CHOOSE(avx2, portable) portable
#endif

static void accumulate_terms_portable(
    const errata_factor *rows, size_t first_row, size_t row_count, const errata_factor *columns, size_t first_column,
    size_t column_count, size_t fact_count, double *delta, size_t stride) {
  accumulate_terms_body(rows, first_row, row_count, columns, first_column, column_count, fact_count, delta, stride);
}

static size_t round_sums_portable(
    errata_stored_type type, const uint8_t *base, const double *delta, uint8_t *result, size_t count) {
  return round_sums_typed(type, base, delta, result, count);
}

void errata_accumulate_terms(
    const errata_factor *rows, size_t first_row, size_t row_count, const errata_factor *columns, size_t first_column,
    size_t column_count, size_t fact_count, double *delta, size_t delta_stride) {
  ERRATA_CHOOSE(accumulate_terms_avx2, accumulate_terms_portable)
  (rows, first_row, row_count, columns, first_column, column_count, fact_count, delta, delta_stride);
}

size_t errata_round_sums(
    errata_stored_type type, const uint8_t *base, const double *delta, uint8_t *result, size_t count) {
  return ERRATA_CHOOSE(round_sums_avx2, round_sums_portable)(type, base, delta, result, count);
}
