#ifndef ERRATA_PROCESSOR_H
#define ERRATA_PROCESSOR_H

// The instruction sets that kernels are compiled for, from the one that every processor has to the widest.
typedef enum { errata_baseline, errata_avx2, errata_avx512 } errata_processor;

// The widest that this processor has.
errata_processor errata_widest_processor(void);

// What the kernels use: the widest, or what the environment variable ERRATA_KERNELS names (`baseline`, `avx2`,
// `avx512`), if that is narrower. Read once.
errata_processor errata_used_processor(void);

// Whether that is the baseline because ERRATA_KERNELS says so: then nothing is used that some processors lack.
int errata_is_held_to_baseline(void);

#endif
