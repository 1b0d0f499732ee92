#ifndef ERRATA_PRODUCT_H
#define ERRATA_PRODUCT_H
#include <stddef.h>

// result += left right in binary64, of dense row-major matrices: left is rows x inner, right inner x columns, result
// rows x columns. The terms of an element are rounded and added one after another, in ascending order of the inner
// index: the same bits on every processor.
void errata_add_product(
    const double *left, const double *right, size_t rows, size_t inner, size_t columns, double *result);

#endif
