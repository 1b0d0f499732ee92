#ifndef ERRATA_CKERNELS_H
#define ERRATA_CKERNELS_H

// C where SIMD or bit-exactness need it, and nowhere else. Every kernel is one `always_inline` body compiled twice, for
// the baseline and for AVX2 + F16C, chosen at run time; both give the same bits.

#include "conversion.h"
#include "exact_apply.h"

#endif
