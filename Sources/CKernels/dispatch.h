#ifndef ERRATA_DISPATCH_H
#define ERRATA_DISPATCH_H

// Not `target_clones`: its resolver runs before a sanitizer is set up, and crashes under ThreadSanitizer.

#define ERRATA_INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
#include <immintrin.h>
#define ERRATA_AVX2 __attribute__((target("avx2,fma,f16c")))
ERRATA_INLINE int errata_has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}
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
#define ERRATA_KERNEL(name, parameters, arguments) \
  void errata_##name parameters { name##_body arguments; }
#endif

#endif
