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
#endif

#endif
