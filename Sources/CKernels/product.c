#include "product.h"

#include <string.h>

#include "dispatch.h"

// A tile of sums stays in registers while a block of the inner index passes by; the right matrix's columns of a tile
// lie side by side in a panel meanwhile, in the first-level cache, for all rows.
enum { TILE_ROWS = 4, NARROW_COLUMNS = 8, WIDE_COLUMNS = 24, INNER_BLOCK = 192 };

ERRATA_INLINE size_t smaller(size_t left, size_t right) { return left < right ? left : right; }

// Vectors by name: the compiler keeps an array of scalars in memory. `columns_of_tile` is the width of the tile.
#define ERRATA_TILE(name, lanes, columns_of_tile)                                                            \
  typedef double name##_vector __attribute__((vector_size(8 * lanes), aligned(8), may_alias));               \
  ERRATA_INLINE void name(                                                                                   \
      const double *const rows[TILE_ROWS], const double *restrict panel, size_t count, double *tile) {       \
    /* Fused, a term would not be rounded. */                                                                \
    _Pragma("clang fp contract(off)") enum { VECTORS = columns_of_tile / lanes };                            \
    name##_vector sums[TILE_ROWS][VECTORS];                                                                  \
    name##_vector *stored = (name##_vector *)tile;                                                           \
    for (int r = 0; r < TILE_ROWS; r++) {                                                                    \
      for (int v = 0; v < VECTORS; v++) sums[r][v] = stored[r * VECTORS + v];                                \
    }                                                                                                        \
    for (size_t i = 0; i < count; i++, panel += columns_of_tile) {                                           \
      for (int r = 0; r < TILE_ROWS; r++) {                                                                  \
        for (int v = 0; v < VECTORS; v++) sums[r][v] += rows[r][i] * ((const name##_vector *)panel)[v];      \
      }                                                                                                      \
    }                                                                                                        \
    for (int r = 0; r < TILE_ROWS; r++) {                                                                    \
      for (int v = 0; v < VECTORS; v++) stored[r * VECTORS + v] = sums[r][v];                                \
    }                                                                                                        \
  }

ERRATA_TILE(narrow_tile, 4, NARROW_COLUMNS)
ERRATA_TILE(wide_tile, 8, WIDE_COLUMNS)

ERRATA_INLINE void add_product_body(
    errata_processor processor, const double *left, const double *right, size_t rows, size_t inner, size_t columns,
    double *result) {
  size_t width = processor == errata_avx512 ? WIDE_COLUMNS : NARROW_COLUMNS;
  double panel[INNER_BLOCK * WIDE_COLUMNS], tile[TILE_ROWS * WIDE_COLUMNS];
  for (size_t first = 0; first < inner; first += INNER_BLOCK) {
    size_t count = smaller(INNER_BLOCK, inner - first);
    for (size_t column = 0; column < columns; column += width) {
      size_t present = smaller(width, columns - column);
      if (present < width) {
        memset(panel, 0, sizeof panel);
        memset(tile, 0, sizeof tile);
      }
      for (size_t i = 0; i < count; i++) {
        memcpy(panel + i * width, right + (first + i) * columns + column, present * sizeof *panel);
      }
      for (size_t row = 0; row < rows; row += TILE_ROWS) {
        size_t present_rows = smaller(TILE_ROWS, rows - row);
        // Below the last row of the matrix a tile repeats it, and what comes of that is not stored.
        const double *tile_rows[TILE_ROWS];
        for (size_t r = 0; r < TILE_ROWS; r++) {
          size_t stored = row + smaller(r, present_rows - 1);
          tile_rows[r] = left + stored * inner + first;
          memcpy(tile + r * width, result + stored * columns + column, present * sizeof *tile);
        }
        if (processor == errata_avx512) {
          wide_tile(tile_rows, panel, count, tile);
        } else {
          narrow_tile(tile_rows, panel, count, tile);
        }
        for (size_t r = 0; r < present_rows; r++) {
          memcpy(result + (row + r) * columns + column, tile + r * width, present * sizeof *tile);
        }
      }
    }
  }
}

#define ERRATA_PRODUCT \
  const double *left, const double *right, size_t rows, size_t inner, size_t columns, double *result

static void add_product_baseline(ERRATA_PRODUCT) {
  add_product_body(errata_baseline, left, right, rows, inner, columns, result);
}

#if defined(__x86_64__)
ERRATA_AVX2 static void add_product_avx2(ERRATA_PRODUCT) {
  add_product_body(errata_avx2, left, right, rows, inner, columns, result);
}
ERRATA_AVX512 static void add_product_avx512(ERRATA_PRODUCT) {
  add_product_body(errata_avx512, left, right, rows, inner, columns, result);
}
#endif

void errata_add_product(ERRATA_PRODUCT) { ERRATA_WIDEST(add_product)(left, right, rows, inner, columns, result); }
