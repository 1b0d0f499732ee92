#ifndef ERRATA_CKERNELS_H
#define ERRATA_CKERNELS_H

// C where SIMD, bit-exactness or a system call need it, and nowhere else. Every kernel is one `always_inline` body
// compiled twice, for the baseline and for AVX2 + FMA + F16C, chosen at run time. Conversions, exact apply and the
// binary64 product give the same bits either way; the float32 operators of the transformer may differ in the last bits.

#include "activation.h"
#include "attention.h"
#include "conversion.h"
#include "exact_apply.h"
#include "file_calls.h"
#include "normalization.h"
#include "probability.h"
#include "processor.h"
#include "product.h"
#include "rotary.h"
#include "sha256.h"

#endif
