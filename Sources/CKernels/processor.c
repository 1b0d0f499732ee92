#include "processor.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

errata_processor errata_widest_processor(void) {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("f16c")) {
    return errata_baseline;
  }
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
             ? errata_avx512
             : errata_avx2;
#else
  return errata_baseline;
#endif
}

int errata_is_held_to_baseline(void) {
  const char *wanted = getenv("ERRATA_KERNELS");
  return wanted != NULL && strcmp(wanted, "baseline") == 0;
}

static errata_processor find_used_processor(void) {
  errata_processor widest = errata_widest_processor();
  const char *wanted = getenv("ERRATA_KERNELS");
  if (errata_is_held_to_baseline()) return errata_baseline;
  return wanted != NULL && strcmp(wanted, "avx2") == 0 && widest > errata_avx2 ? errata_avx2 : widest;
}

errata_processor errata_used_processor(void) {
  static _Atomic int known = -1;
  int used = atomic_load_explicit(&known, memory_order_relaxed);
  if (used < 0) {
    // Two threads that are here at the same time find the same.
    used = (int)find_used_processor();
    atomic_store_explicit(&known, used, memory_order_relaxed);
  }
  return (errata_processor)used;
}
