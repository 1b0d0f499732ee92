#include "probability.h"

#include <math.h>

#include "dispatch.h"
#include "exponential.h"

// Sums of exponentials are taken in float32 over blocks of 256 and in binary64 over the blocks.
enum { BLOCK = 256 };

ERRATA_INLINE void log_sum_exp_body(const float *restrict logits, size_t count, double *result) {
#pragma clang fp reassociate(on)
  float largest = logits[0];
  for (size_t j = 1; j < count; j++) largest = logits[j] > largest ? logits[j] : largest;
  double total = 0;
  for (size_t start = 0; start < count; start += BLOCK) {
    size_t end = start + BLOCK < count ? start + BLOCK : count;
    float sum = 0;
    for (size_t j = start; j < end; j++) sum += exponential(logits[j] - largest);
    total += (double)sum;
  }
  *result = (double)largest + log(total);
}

ERRATA_INLINE void log_probabilities_body(
    const float *restrict logits, float log_sum, float *restrict out, size_t count) {
  for (size_t j = 0; j < count; j++) out[j] = logits[j] - log_sum;
}

ERRATA_INLINE void negative_log_likelihood_backward_body(
    const float *restrict logits, float log_sum, float coefficient, size_t target, float *restrict d_logits,
    size_t count) {
  for (size_t j = 0; j < count; j++) d_logits[j] += coefficient * exponential(logits[j] - log_sum);
  d_logits[target] -= coefficient;
}

ERRATA_INLINE void divergence_body(
    const float *restrict logits, float log_sum, const float *restrict log_initial, size_t count, double *result) {
#pragma clang fp reassociate(on)
  double total = 0;
  for (size_t start = 0; start < count; start += BLOCK) {
    size_t end = start + BLOCK < count ? start + BLOCK : count;
    float sum = 0;
    for (size_t j = start; j < end; j++) {
      float log_p = logits[j] - log_sum;
      sum += exponential(log_p) * (log_p - log_initial[j]);
    }
    total += (double)sum;
  }
  *result = total;
}

ERRATA_INLINE void divergence_backward_body(
    const float *restrict logits, float log_sum, const float *restrict log_initial, float divergence, float coefficient,
    float *restrict d_logits, size_t count) {
  for (size_t j = 0; j < count; j++) {
    float log_p = logits[j] - log_sum;
    d_logits[j] += coefficient * exponential(log_p) * (log_p - log_initial[j] - divergence);
  }
}

ERRATA_KERNEL(log_sum_exp, (const float *logits, size_t count, double *result), (logits, count, result))
ERRATA_KERNEL(
    divergence, (const float *logits, float log_sum, const float *log_initial, size_t count, double *result),
    (logits, log_sum, log_initial, count, result))
ERRATA_KERNEL(
    log_probabilities, (const float *logits, float log_sum, float *out, size_t count), (logits, log_sum, out, count))
ERRATA_KERNEL(
    negative_log_likelihood_backward,
    (const float *logits, float log_sum, float coefficient, size_t target, float *d_logits, size_t count),
    (logits, log_sum, coefficient, target, d_logits, count))
ERRATA_KERNEL(
    divergence_backward,
    (const float *logits, float log_sum, const float *log_initial, float divergence, float coefficient, float *d_logits,
     size_t count),
    (logits, log_sum, log_initial, divergence, coefficient, d_logits, count))
