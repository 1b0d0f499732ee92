#include "activation.h"

#include <math.h>

#include "dispatch.h"
#include "exponential.h"

// The value of an activation and its derivative.
typedef struct {
  float value;
  float slope;
} Activated;

ERRATA_INLINE Activated silu(float x) {
  float s = sigmoid(x);
  return (Activated){x * s, s * (1.0f + x * (1.0f - s))};
}

// gelu_new / gelu_pytorch_tanh: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
ERRATA_INLINE Activated gelu_tanh(float x) {
  const float c = 0.79788456080286536f;
  float square = x * x;
  float t = hyperbolic_tangent(c * x * (1.0f + 0.044715f * square));
  float inner = c * (1.0f + 3.0f * 0.044715f * square);
  return (Activated){0.5f * x * (1.0f + t), 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * inner};
}

ERRATA_INLINE Activated gelu_erf(float x) {
  float cumulative = 0.5f * (1.0f + erff(x * 0.70710678118654752f));
  return (Activated){x * cumulative, cumulative + x * 0.39894228040143268f * exponential(-0.5f * x * x)};
}

ERRATA_INLINE Activated relu(float x) { return (Activated){x > 0 ? x : 0, x > 0 ? 1.0f : 0.0f}; }

ERRATA_INLINE Activated relu_squared(float x) {
  float positive = x > 0 ? x : 0;
  return (Activated){positive * positive, 2.0f * positive};
}

ERRATA_INLINE Activated quick_gelu(float x) {
  float s = sigmoid(1.702f * x);
  return (Activated){x * s, s * (1.0f + 1.702f * x * (1.0f - s))};
}

// One loop per kind, so that each vectorizes.
#define FOR_KIND(kind, count, body)                               \
  switch (kind) {                                                 \
    case ERRATA_SILU:                                             \
      for (size_t i = 0; i < (count); i++) { body(silu) }         \
      break;                                                      \
    case ERRATA_GELU_TANH:                                        \
      for (size_t i = 0; i < (count); i++) { body(gelu_tanh) }    \
      break;                                                      \
    case ERRATA_GELU_ERF:                                         \
      for (size_t i = 0; i < (count); i++) { body(gelu_erf) }     \
      break;                                                      \
    case ERRATA_RELU_SQUARED:                                     \
      for (size_t i = 0; i < (count); i++) { body(relu_squared) } \
      break;                                                      \
    case ERRATA_QUICK_GELU:                                       \
      for (size_t i = 0; i < (count); i++) { body(quick_gelu) }   \
      break;                                                      \
    default:                                                      \
      for (size_t i = 0; i < (count); i++) { body(relu) }         \
      break;                                                      \
  }

ERRATA_INLINE void gated_forward_body(
    int kind, const float *restrict gate_up, float *restrict key, size_t rows, size_t width) {
  for (size_t row = 0; row < rows; row++) {
    const float *restrict gate = gate_up + row * 2 * width;
    const float *restrict up = gate + width;
    float *restrict out = key + row * width;
#define BODY(f) out[i] = f(gate[i]).value * up[i];
    FOR_KIND(kind, width, BODY)
#undef BODY
  }
}

ERRATA_INLINE void gated_backward_body(
    int kind, const float *restrict gate_up, const float *restrict d_key, float *restrict d_gate_up, size_t rows,
    size_t width) {
  for (size_t row = 0; row < rows; row++) {
    const float *restrict gate = gate_up + row * 2 * width;
    const float *restrict up = gate + width;
    const float *restrict d = d_key + row * width;
    float *restrict d_gate = d_gate_up + row * 2 * width;
    float *restrict d_up = d_gate + width;
#define BODY(f)                       \
  Activated a = f(gate[i]);           \
  d_gate[i] = d[i] * up[i] * a.slope; \
  d_up[i] = d[i] * a.value;
    FOR_KIND(kind, width, BODY)
#undef BODY
  }
}

ERRATA_INLINE void activation_forward_body(int kind, const float *restrict x, float *restrict key, size_t count){
#define BODY(f) key[i] = f(x[i]).value;
    FOR_KIND(kind, count, BODY)
#undef BODY
}

ERRATA_INLINE void activation_backward_body(
    int kind, const float *restrict x, const float *restrict d_key, float *restrict d_x, size_t count){
#define BODY(f) d_x[i] = d_key[i] * f(x[i]).slope;
    FOR_KIND(kind, count, BODY)
#undef BODY
}

ERRATA_KERNEL(
    gated_forward, (int kind, const float *gate_up, float *key, size_t rows, size_t width),
    (kind, gate_up, key, rows, width))
    ERRATA_KERNEL(
        gated_backward,
        (int kind, const float *gate_up, const float *d_key, float *d_gate_up, size_t rows, size_t width),
        (kind, gate_up, d_key, d_gate_up, rows, width))
        ERRATA_KERNEL(activation_forward, (int kind, const float *x, float *key, size_t count), (kind, x, key, count))
            ERRATA_KERNEL(
                activation_backward, (int kind, const float *x, const float *d_key, float *d_x, size_t count),
                (kind, x, d_key, d_x, count))

                void errata_xielu_forward(errata_xielu p, const float *x, float *key, size_t count) {
  for (size_t i = 0; i < count; i++) {
    float bend = x[i] > 0 ? p.positive * x[i] * x[i] : p.negative * (expm1f(fminf(x[i], p.epsilon)) - x[i]);
    key[i] = bend + p.beta * x[i];
  }
}

void errata_xielu_backward(errata_xielu p, const float *x, const float *d_key, float *d_x, size_t count) {
  for (size_t i = 0; i < count; i++) {
    float exponent = x[i] < p.epsilon ? expf(x[i]) : 0;
    float slope = x[i] > 0 ? 2.0f * p.positive * x[i] : p.negative * (exponent - 1.0f);
    d_x[i] = d_key[i] * (slope + p.beta);
  }
}
