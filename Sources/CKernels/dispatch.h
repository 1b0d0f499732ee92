#ifndef ERRATA_DISPATCH_H
#define ERRATA_DISPATCH_H

// Not `target_clones`: its resolver runs before a sanitizer is set up, and crashes under ThreadSanitizer.

#define ERRATA_INLINE static inline __attribute__((always_inline))

// For code that is the same but for what the processor gives.
typedef enum { processor_baseline, processor_avx2, processor_avx512 } processor;

#if defined(__x86_64__)
#include <immintrin.h>
#define ERRATA_AVX2 __attribute__((target("avx2,fma,f16c")))
ERRATA_INLINE int errata_has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}
// Where a loop gains from twice the width and from the 64-bit integer operations that AVX2 lacks.
#define ERRATA_AVX512 __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")))
ERRATA_INLINE int errata_has_avx512(void) {
  return errata_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
// One of NAME_baseline, NAME_avx2 and NAME_avx512.
#define ERRATA_WIDEST(name) (errata_has_avx512() ? name##_avx512 : errata_has_avx2() ? name##_avx2 : name##_baseline)
// Defines `errata_NAME` from `NAME_body`: one copy for the baseline and one for AVX2, chosen at each call.
#define ERRATA_KERNEL(name, parameters, arguments)                                          \
  ERRATA_AVX2 static void name##_avx2 parameters { name##_body arguments; }                 \
  static void name##_baseline parameters { name##_body arguments; }                         \
  void errata_##name parameters {                                                           \
    if (errata_has_avx2()) {                                                                \
      name##_avx2 arguments;                                                                \
    } else {                                                                                \
      name##_baseline arguments;                                                            \
    }                                                                                       \
  }
#else
#define ERRATA_WIDEST(name) name##_baseline
#define ERRATA_KERNEL(name, parameters, arguments) \
  void errata_##name parameters { name##_body arguments; }
#endif

#endif
