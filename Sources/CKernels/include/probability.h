#ifndef ERRATA_PROBABILITY_H
#define ERRATA_PROBABILITY_H
#include <stddef.h>

// result = log sum_j exp(logits_j), summed in binary64.
void errata_log_sum_exp(const float *logits, size_t count, double *result);

// out_j = logits_j - log_sum: log-probabilities.
void errata_log_probabilities(const float *logits, float log_sum, float *out, size_t count);

// Adds the gradient of coefficient * -log p(target) with respect to the logits: coefficient * (p_j - [j = target]).
void errata_negative_log_likelihood_backward(
    const float *logits, float log_sum, float coefficient, size_t target, float *d_logits, size_t count);

// result = KL(p || p0) = sum_j p_j (log p_j - log p0_j), summed in binary64; log_initial holds log p0.
void errata_divergence(const float *logits, float log_sum, const float *log_initial, size_t count, double *result);

// Adds its gradient with respect to the logits: coefficient * p_j (log p_j - log p0_j - divergence).
void errata_divergence_backward(
    const float *logits, float log_sum, const float *log_initial, float divergence, float coefficient, float *d_logits,
    size_t count);

#endif
