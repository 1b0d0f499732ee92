#include "exact_apply.h"

#include "stored_float.h"

// Register and cache blocks: a tile of sums stays in registers over a block of facts. The factor values of its columns
// stay in L1 while those of all rows pass by.
enum { TILE_ROWS = 4, NARROW_COLUMNS = 12, WIDE_COLUMNS = 48, FACT_BLOCK = 128, ROW_BLOCK = 128, COLUMN_BLOCK = 240 };

ERRATA_INLINE size_t smaller(size_t left, size_t right) { return left < right ? left : right; }

ERRATA_INLINE double factor_value(
    const uint8_t *stored, size_t index, errata_factor_type type, errata_processor processor) {
  switch (type) {
    case errata_factor_f32: {
      float value;
      memcpy(&value, stored + 4 * index, 4);
      return (double)value;
    }
    case errata_factor_f16: {
      if (processor != errata_baseline || ERRATA_HAS_FLOAT16) {
        // Exact, subnormal numbers too, in every mode of the processor.
        _Float16 value;
        memcpy(&value, stored + 2 * index, 2);
        return (double)(float)value;
      }
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
    const errata_factor *factor, errata_factor_type type, errata_processor processor, size_t first_element,
    size_t element_count, size_t first_fact, size_t fact_count, size_t width, double *restrict panels) {
  const uint8_t *stored = factor->stored;
  double scales[FACT_BLOCK];
  for (size_t e = 0; e < fact_count; e++) {
    int exponent = factor->exponents ? factor->exponents[first_fact + e] : 0;
    scales[e] = binary64_of_bits((uint64_t)(1023 + exponent) << 52);
  }
  for (size_t start = 0; start < element_count; start += width, panels += fact_count * width) {
    size_t present = smaller(width, element_count - start);
    size_t first = first_fact * factor->fact_stride + (first_element + start) * factor->element_stride;
    if (present < width) memset(panels, 0, fact_count * width * sizeof *panels);
    if (factor->fact_stride == 1) {
      // The values of an element lie side by side.
      for (size_t i = 0; i < present; i++) {
        double values[FACT_BLOCK];
        size_t index = first + i * factor->element_stride;
        for (size_t e = 0; e < fact_count; e++)
          values[e] = factor_value(stored, index + e, type, processor) * scales[e];
        // As one vector that is scattered, this would take longer.
#pragma clang loop vectorize(disable)
        for (size_t e = 0; e < fact_count; e++) panels[e * width + i] = values[e];
      }
    } else if (factor->element_stride == 1 && present == width) {
      for (size_t e = 0; e < fact_count; e++) {
        size_t index = first + e * factor->fact_stride;
        for (size_t i = 0; i < width; i++) {
          panels[e * width + i] = factor_value(stored, index + i, type, processor) * scales[e];
        }
      }
    } else {
      for (size_t e = 0; e < fact_count; e++) {
        size_t index = first + e * factor->fact_stride;
        for (size_t i = 0; i < present; i++) {
          panels[e * width + i] = factor_value(stored, index + i * factor->element_stride, type, processor) * scales[e];
        }
      }
    }
  }
}

// Panels of `width` elements, each facts x width; elements beyond the last are zero.
ERRATA_INLINE void pack(
    const errata_factor *factor, errata_processor processor, size_t first_element, size_t element_count,
    size_t first_fact, size_t fact_count, size_t width, double *panels) {
#define PACK(type) \
  pack_typed(factor, type, processor, first_element, element_count, first_fact, fact_count, width, panels)
  switch (factor->type) {
    case errata_factor_f32: PACK(errata_factor_f32); break;
    case errata_factor_f16: PACK(errata_factor_f16); break;
    case errata_factor_i8: PACK(errata_factor_i8); break;
  }
#undef PACK
}

// Vectors by name: the compiler keeps an array of scalars in memory. `columns` is the width of the tile.
#define ERRATA_TILE(name, lanes, columns_of_tile)                                                                     \
  typedef double name##_vector __attribute__((vector_size(8 * lanes), aligned(8), may_alias));                        \
  ERRATA_INLINE void name(                                                                                            \
      const double *restrict rows, const double *restrict columns, size_t fact_count, double *restrict tile,          \
      size_t stride) {                                                                                                \
    /* A product of two float32 values is exact in binary64: fused or not, the sum is the same. */                    \
    _Pragma("clang fp contract(fast)") enum { VECTORS = columns_of_tile / lanes };                                    \
    name##_vector sums[TILE_ROWS][VECTORS];                                                                           \
    for (int r = 0; r < TILE_ROWS; r++) {                                                                             \
      for (int v = 0; v < VECTORS; v++) sums[r][v] = *(const name##_vector *)(tile + (size_t)r * stride + v * lanes); \
    }                                                                                                                 \
    for (size_t e = 0; e < fact_count; e++, rows += TILE_ROWS, columns += columns_of_tile) {                          \
      for (int r = 0; r < TILE_ROWS; r++) {                                                                           \
        for (int v = 0; v < VECTORS; v++) sums[r][v] += rows[r] * *(const name##_vector *)(columns + v * lanes);      \
      }                                                                                                               \
    }                                                                                                                 \
    for (int r = 0; r < TILE_ROWS; r++) {                                                                             \
      for (int v = 0; v < VECTORS; v++) *(name##_vector *)(tile + (size_t)r * stride + v * lanes) = sums[r][v];       \
    }                                                                                                                 \
  }

ERRATA_TILE(narrow_tile, 4, NARROW_COLUMNS)
ERRATA_TILE(wide_tile, 8, WIDE_COLUMNS)

ERRATA_INLINE void accumulate_tile(
    errata_processor processor, const double *rows, const double *columns, size_t fact_count, double *tile,
    size_t stride) {
  if (processor == errata_avx512) {
    wide_tile(rows, columns, fact_count, tile, stride);
  } else {
    narrow_tile(rows, columns, fact_count, tile, stride);
  }
}

// A tile that hangs over the edge is computed in a copy.
ERRATA_INLINE void accumulate_edge_tile(
    errata_processor processor, const double *rows, const double *columns, size_t fact_count, size_t row_count,
    size_t column_count, double *delta, size_t stride) {
  double tile[TILE_ROWS * WIDE_COLUMNS] = {0};
  for (size_t r = 0; r < row_count; r++) memcpy(tile + r * WIDE_COLUMNS, delta + r * stride, column_count * 8);
  accumulate_tile(processor, rows, columns, fact_count, tile, WIDE_COLUMNS);
  for (size_t r = 0; r < row_count; r++) memcpy(delta + r * stride, tile + r * WIDE_COLUMNS, column_count * 8);
}

ERRATA_INLINE void accumulate_terms_body(
    errata_processor processor, const errata_factor *rows, size_t first_row, size_t row_count,
    const errata_factor *columns, size_t first_column, size_t column_count, size_t fact_count, double *delta,
    size_t stride) {
  size_t width = processor == errata_avx512 ? WIDE_COLUMNS : NARROW_COLUMNS;
  double row_panels[FACT_BLOCK * ROW_BLOCK];
  double column_panels[FACT_BLOCK * COLUMN_BLOCK];
  for (size_t row = 0; row < row_count; row += ROW_BLOCK) {
    size_t block_rows = smaller(ROW_BLOCK, row_count - row);
    for (size_t fact = 0; fact < fact_count; fact += FACT_BLOCK) {
      size_t facts = smaller(FACT_BLOCK, fact_count - fact);
      pack(rows, processor, first_row + row, block_rows, fact, facts, TILE_ROWS, row_panels);
      for (size_t column = 0; column < column_count; column += COLUMN_BLOCK) {
        size_t block_columns = smaller(COLUMN_BLOCK, column_count - column);
        pack(columns, processor, first_column + column, block_columns, fact, facts, width, column_panels);
        for (size_t c = 0; c < block_columns; c += width) {
          size_t tile_columns = smaller(width, block_columns - c);
          for (size_t r = 0; r < block_rows; r += TILE_ROWS) {
            size_t tile_rows = smaller(TILE_ROWS, block_rows - r);
            double *tile = delta + (row + r) * stride + column + c;
            const double *row_panel = row_panels + r * facts, *column_panel = column_panels + c * facts;
            if (tile_rows == TILE_ROWS && tile_columns == width) {
              accumulate_tile(processor, row_panel, column_panel, facts, tile, stride);
            } else {
              accumulate_edge_tile(processor, row_panel, column_panel, facts, tile_rows, tile_columns, tile, stride);
            }
          }
        }
      }
    }
  }
}

// The sums of a block, rounded to a format of 16 bits, if all that meets is zero or a normal number: then the patterns
// are those of binary64 with fewer bits. Returns whether that is so.
ERRATA_INLINE int64_t round_normal_sums(
    stored_format format, const uint8_t *base, const double *restrict delta, uint8_t *restrict rounded, size_t count) {
  int shift = 52 - format.fraction_bits;
  // From an exponent field of the format to one of binary64.
  int64_t rebias = (int64_t)(1022 + format.minimum_exponent) << 52, least_normal = rebias + (1ll << 52);
  int64_t infinity = stored_infinity(format), half = 1ll << (shift - 1);
  int64_t is_open = 0;
  for (size_t i = 0; i < count; i++) {
    uint16_t pattern;
    memcpy(&pattern, base + 2 * i, 2);
    int64_t magnitude = pattern & 0x7fff;
    int64_t widened = magnitude == 0 ? 0 : (magnitude << shift) + rebias;
    double sum = binary64_of_bits((uint64_t)widened | (uint64_t)(pattern & 0x8000) << 48) + delta[i];
    int64_t sum_bits = (int64_t)binary64_bits(sum) & INT64_MAX;
    int64_t kept = sum_bits == 0 ? 0 : ((sum_bits - rebias) + (half - 1) + (sum_bits >> shift & 1)) >> shift;
    is_open |= ((magnitude != 0) & (widened < least_normal)) | (magnitude >= infinity);
    is_open |= ((sum_bits != 0) & (sum_bits < least_normal)) | (kept >= infinity);
    uint16_t stored = (uint16_t)((uint64_t)kept | binary64_bits(sum) >> 63 << 15);
    memcpy(rounded + 2 * i, &stored, 2);
  }
  return !is_open;
}

// `base` and `result` may be the same memory, element by element, so neither is `restrict`.
ERRATA_INLINE size_t round_sums_body(
    stored_format format, const uint8_t *base, const double *restrict delta, uint8_t *result, size_t count) {
  enum { BLOCK = 512 };
  int64_t infinity = stored_infinity(format);
  size_t width = (size_t)stored_bytes(format);
  for (size_t start = 0; start < count; start += BLOCK) {
    size_t length = smaller(BLOCK, count - start);
    const uint8_t *block = base + start * width;
    uint8_t rounded[BLOCK * 4];
    int64_t failures = 0;
    if (width != 2 || !round_normal_sums(format, block, delta + start, rounded, length)) {
      for (size_t i = 0; i < length; i++) {
        int64_t ordered = load_ordered(block, i, format);
        int64_t sum = narrow_ordered(widen_ordered(ordered, format) + delta[start + i], format);
        failures |= ((ordered ^ (ordered >> 63)) >= infinity) | ((sum ^ (sum >> 63)) >= infinity);
        store_ordered(sum, rounded, i, format);
      }
    }
    if (failures) {
      for (size_t i = 0; i < length; i++) {
        int64_t ordered = load_ordered(block, i, format);
        int64_t sum = load_ordered(rounded, i, format);
        if ((ordered ^ (ordered >> 63)) >= infinity || (sum ^ (sum >> 63)) >= infinity) return start + i;
      }
    }
    memcpy(result + start * width, rounded, length * width);
  }
  return count;
}

ERRATA_INLINE size_t
round_sums_typed(errata_stored_type type, const uint8_t *base, const double *delta, uint8_t *result, size_t count) {
  switch (type) {
    case errata_stored_bf16: return round_sums_body(stored_bf16, base, delta, result, count);
    case errata_stored_f16: return round_sums_body(stored_f16, base, delta, result, count);
    case errata_stored_f32: return round_sums_body(stored_f32, base, delta, result, count);
  }
  return 0;
}

#define ERRATA_TERMS                                                                                                \
  const errata_factor *rows, size_t first_row, size_t row_count, const errata_factor *columns, size_t first_column, \
      size_t column_count, size_t fact_count, double *delta, size_t stride
#define ERRATA_TERM_ARGUMENTS rows, first_row, row_count, columns, first_column, column_count, fact_count, delta, stride
#define ERRATA_SUMS errata_stored_type type, const uint8_t *base, const double *delta, uint8_t *result, size_t count

static void accumulate_terms_baseline(ERRATA_TERMS) { accumulate_terms_body(errata_baseline, ERRATA_TERM_ARGUMENTS); }
static size_t round_sums_baseline(ERRATA_SUMS) { return round_sums_typed(type, base, delta, result, count); }

#if defined(__x86_64__)
ERRATA_AVX2 static void accumulate_terms_avx2(ERRATA_TERMS) {
  accumulate_terms_body(errata_avx2, ERRATA_TERM_ARGUMENTS);
}
ERRATA_AVX2 static size_t round_sums_avx2(ERRATA_SUMS) { return round_sums_typed(type, base, delta, result, count); }
ERRATA_AVX512 static void accumulate_terms_avx512(ERRATA_TERMS) {
  accumulate_terms_body(errata_avx512, ERRATA_TERM_ARGUMENTS);
}
ERRATA_AVX512 static size_t round_sums_avx512(ERRATA_SUMS) {
  return round_sums_typed(type, base, delta, result, count);
}
#endif

void errata_accumulate_terms(
    const errata_factor *rows, size_t first_row, size_t row_count, const errata_factor *columns, size_t first_column,
    size_t column_count, size_t fact_count, double *delta, size_t delta_stride) {
  ERRATA_WIDEST(accumulate_terms)
  (rows, first_row, row_count, columns, first_column, column_count, fact_count, delta, delta_stride);
}

size_t errata_round_sums(
    errata_stored_type type, const uint8_t *base, const double *delta, uint8_t *result, size_t count) {
  return ERRATA_WIDEST(round_sums)(type, base, delta, result, count);
}
