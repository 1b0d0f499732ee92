#ifndef ERRATA_DISPATCH_H
#define ERRATA_DISPATCH_H

#include "processor.h"

// Not `target_clones`: its resolver runs before a sanitizer is set up, and crashes under ThreadSanitizer.

#define ERRATA_INLINE static inline __attribute__((always_inline))

// ERRATA_HAS_FLOAT16: whether the baseline converts float16. Of arm64, the baseline has it, and vectors too.
#if defined(__x86_64__)
#include <immintrin.h>
#define ERRATA_AVX2 __attribute__((target("avx2,fma,f16c")))
// Where a loop gains from twice the width and from the 64-bit integer operations that AVX2 lacks.
#define ERRATA_AVX512 __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")))
// One of NAME_baseline and NAME_avx2.
#define ERRATA_WIDE(name) (errata_used_processor() >= errata_avx2 ? name##_avx2 : name##_baseline)
// One of NAME_baseline, NAME_avx2 and NAME_avx512.
#define ERRATA_WIDEST(name) (errata_used_processor() == errata_avx512 ? name##_avx512 : ERRATA_WIDE(name))
// Defines `errata_NAME` from `NAME_body`: one copy for the baseline and one for AVX2, chosen at each call.
#define ERRATA_KERNEL(name, parameters, arguments)                          \
  ERRATA_AVX2 static void name##_avx2 parameters { name##_body arguments; } \
  static void name##_baseline parameters { name##_body arguments; }         \
  void errata_##name parameters { ERRATA_WIDE(name) arguments; }
#define ERRATA_HAS_FLOAT16 0
#else
#if defined(__aarch64__)
#define ERRATA_HAS_FLOAT16 1
#else
#define ERRATA_HAS_FLOAT16 0
#endif
#define ERRATA_WIDE(name) name##_baseline
#define ERRATA_WIDEST(name) name##_baseline
#define ERRATA_KERNEL(name, parameters, arguments) \
  void errata_##name parameters { name##_body arguments; }
#endif

#endif
