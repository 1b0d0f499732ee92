#ifndef ERRATA_ACTIVATION_H
#define ERRATA_ACTIVATION_H
#include <stddef.h>

// Gated MLP. `gate_up` holds `rows` rows of 2 * width values: the gate's pre-activations, then the up projection.
//   forward:   key = f(gate) * up
//   backward:  d_gate = d_key * up * f'(gate),  d_up = d_key * f(gate)
// `kind` is one of the values below.

enum {
  ERRATA_SILU = 0,
  ERRATA_GELU_TANH = 1,
  ERRATA_GELU_ERF = 2,
  ERRATA_RELU = 3,
  ERRATA_RELU_SQUARED = 4,
  ERRATA_QUICK_GELU = 5
};

void errata_gated_forward(int kind, const float *gate_up, float *key, size_t rows, size_t width);
void errata_gated_backward(
    int kind, const float *gate_up, const float *d_key, float *d_gate_up, size_t rows, size_t width);

// Plain MLP: key = f(x), d_x = d_key * f'(x).
void errata_activation_forward(int kind, const float *x, float *key, size_t count);
void errata_activation_backward(int kind, const float *x, const float *d_key, float *d_x, size_t count);

// xIELU (Huang and Schlag 2024), whose parameters are learned:
//   f(x) = positive x^2 + beta x for x > 0, else negative (expm1(min(x, epsilon)) - x) + beta x
typedef struct {
  float positive;
  float negative;
  float beta;
  float epsilon;
} errata_xielu;

void errata_xielu_forward(errata_xielu parameters, const float *x, float *key, size_t count);
void errata_xielu_backward(errata_xielu parameters, const float *x, const float *d_key, float *d_x, size_t count);

#endif
