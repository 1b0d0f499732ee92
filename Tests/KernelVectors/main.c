// kernel-vectors
//
// Runs the kernels whose bytes are the same on every machine (conversions, exact apply, candidates, SHA-256, the
// binary64 product) on fixed inputs, and prints a digest of what each gives: Tests/Golden/kernel_vectors.txt has the
// lines that belong there. It is C alone, so that it runs where Swift does not: built with sanitizers, and for other
// processors under qemu (.ci/kernels).
//
// kernel-vectors --all runs the operators of the transformer too, for what a sanitizer finds; their last bits differ
// between processors, so no digest of theirs is printed.
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CKernels.h"

// MARK: Inputs and digests

static uint64_t random_state;

// SplitMix64 (Steele, Lea and Flood, 2014).
static uint64_t next_random(void) {
  uint64_t z = random_state += 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

// In [-1, 1), in steps of 2^-52.
static double next_double(void) { return (double)(next_random() >> 11) * 0x1p-52 - 1; }

// The allocation ends where the values do, so that a sanitizer sees what reads or writes beyond.
static void *room(size_t count, size_t size) {
  void *bytes = calloc(count, size);
  if (bytes == NULL) abort();
  return bytes;
}

// FNV-1a, 64 bits.
static uint64_t digest_of(uint64_t digest, const void *bytes, size_t count) {
  const uint8_t *byte = bytes;
  for (size_t i = 0; i < count; i++) digest = (digest ^ byte[i]) * 0x100000001b3ull;
  return digest;
}

static const uint64_t empty_digest = 0xcbf29ce484222325ull;

static void report(const char *name, uint64_t digest) { printf("%s %016llx\n", name, (unsigned long long)digest); }

// MARK: Conversions

static void convert(void) {
  enum { PATTERNS = 1 << 16, COUNT = 100003 };
  uint16_t *halves = room(PATTERNS, 2), *narrow = room(COUNT, 2);
  float *wide = room(PATTERNS, 4), *values = room(COUNT, 4);
  for (size_t i = 0; i < PATTERNS; i++) halves[i] = (uint16_t)i;
  errata_bf16_to_f32(halves, wide, PATTERNS);
  report("bf16_to_f32", digest_of(empty_digest, wide, 4 * PATTERNS));
  errata_f16_to_f32(halves, wide, PATTERNS);
  report("f16_to_f32", digest_of(empty_digest, wide, 4 * PATTERNS));

  random_state = 1;
  for (size_t i = 0; i < COUNT; i++) {
    // All patterns, NaN and infinity among them; and numbers in the range of float16, its subnormal ones too.
    uint32_t bits = (uint32_t)next_random();
    if (i % 2) bits = (bits & 0x807fffff) | (100 + bits % 45) << 23;
    // Ties.
    if (i % 8 == 3) bits = (bits & 0xffff0000) | 0x8000;
    if (i % 8 == 5) bits = (bits & 0xffffe000) | 0x1000;
    memcpy(values + i, &bits, 4);
  }
  errata_f32_to_bf16(values, narrow, COUNT);
  report("f32_to_bf16", digest_of(empty_digest, narrow, 2 * COUNT));
  errata_f32_to_f16(values, narrow, COUNT);
  report("f32_to_f16", digest_of(empty_digest, narrow, 2 * COUNT));
  for (int type = 0; type < 2; type++) {
    for (size_t i = 0; i < COUNT; i++) {
      double value = (double)values[i] * (1 + next_double() * 0x1p-30);
      narrow[i] = type ? errata_f64_to_f16(value) : errata_f64_to_bf16(value);
    }
    report(type ? "f64_to_f16" : "f64_to_bf16", digest_of(empty_digest, narrow, 2 * COUNT));
  }
  free(halves), free(narrow), free(wide), free(values);
}

// MARK: Exact apply

static const char *const factor_names[] = {"f32", "f16", "i8"};
static const char *const stored_names[] = {"bf16", "f16", "f32"};
static const size_t stored_sizes[] = {2, 2, 4};

static uint8_t *random_factor(errata_factor_type type, size_t count) {
  uint8_t *stored = room(count, type == errata_factor_f32 ? 4 : type == errata_factor_f16 ? 2 : 1);
  for (size_t i = 0; i < count; i++) {
    float value = (float)(next_double() * exp2((double)(next_random() % 24) - 16));
    uint16_t half;
    switch (type) {
      case errata_factor_f32: memcpy(stored + 4 * i, &value, 4); break;
      case errata_factor_f16:
        half = errata_f64_to_f16((double)value);
        memcpy(stored + 2 * i, &half, 2);
        break;
      case errata_factor_i8: stored[i] = (uint8_t)next_random(); break;
    }
  }
  return stored;
}

// Sums of `facts` terms over a matrix whose extents no block divides, from both orders of the factors' values.
static double *random_change(errata_factor_type type, size_t rows, size_t columns, size_t facts, int by_fact) {
  size_t first_row = 3, first_column = 5, stride = columns + 7;
  uint8_t *left = random_factor(type, (rows + first_row) * facts);
  uint8_t *right = random_factor(type, (columns + first_column) * facts);
  int8_t *exponents = room(facts, 1);
  for (size_t e = 0; e < facts; e++) exponents[e] = (int8_t)((int)(next_random() % 40) - 30);
  errata_factor row_factor = {type, left, by_fact ? rows + first_row : 1, by_fact ? 1 : facts, NULL};
  errata_factor column_factor = {
      type,
      right,
      by_fact ? columns + first_column : 1,
      by_fact ? 1 : facts,
      type == errata_factor_i8 ? exponents : NULL,
  };
  double *strided = room((rows - 1) * stride + columns, 8), *delta = room(rows * columns, 8);
  errata_accumulate_terms(&row_factor, first_row, rows, &column_factor, first_column, columns, facts, strided, stride);
  for (size_t r = 0; r < rows; r++) memcpy(delta + r * columns, strided + r * stride, 8 * columns);
  free(left), free(right), free(exponents), free(strided);
  return delta;
}

static void accumulate(void) {
  static const size_t extents[][3] = {{1, 1, 1}, {4, 48, 128}, {7, 53, 3}, {131, 243, 130}, {258, 61, 257}};
  random_state = 2;
  for (int type = 0; type < 3; type++) {
    uint64_t digest = empty_digest;
    for (size_t i = 0; i < sizeof extents / sizeof *extents; i++) {
      for (int by_fact = 0; by_fact < 2; by_fact++) {
        size_t rows = extents[i][0], columns = extents[i][1];
        double *delta = random_change((errata_factor_type)type, rows, columns, extents[i][2], by_fact);
        digest = digest_of(digest, delta, 8 * rows * columns);
        free(delta);
      }
    }
    char name[32];
    snprintf(name, sizeof name, "accumulate_terms/%s", factor_names[type]);
    report(name, digest);
  }
}

// Finite patterns: most of ordinary weights, some of any size, zeros and subnormal ones too.
static void random_base(errata_stored_type type, uint8_t *base, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t bits = (uint32_t)next_random();
    uint32_t pattern = bits;
    if (i % 16 > 1) {
      float weight = (float)(next_double() * 0.1);
      memcpy(&pattern, &weight, 4);
      if (type == errata_stored_bf16) pattern >>= 16;
      if (type == errata_stored_f16) pattern = errata_f64_to_f16((double)weight);
    }
    if (i % 64 == 1) pattern = bits & 0x80008003;
    uint32_t exponent = type == errata_stored_f32 ? 0x7f800000 : type == errata_stored_bf16 ? 0x7f80 : 0x7c00;
    if ((pattern & exponent) == exponent) pattern &= ~(exponent & -exponent);
    memcpy(base + stored_sizes[type] * i, &pattern, stored_sizes[type]);
  }
}

// Changes from far below a quantum to far above the weights, exact ties among them; never -0.
static void random_changes(double *delta, size_t count) {
  for (size_t i = 0; i < count; i++) {
    double change = next_double() * exp2((double)(next_random() % 40) - 34);
    if (i % 5 == 0) change = ldexp((double)(int64_t)(next_random() % 64) - 32, -14);
    if (i % 257 == 0) change = next_double() * 0x1p80;
    delta[i] = change == 0 ? 0 : change;
  }
}

static void round_and_bound(void) {
  enum { COUNT = 20011 };
  double *delta = room(COUNT, 8);
  random_state = 3;
  for (int t = 0; t < 3; t++) {
    errata_stored_type type = (errata_stored_type)t;
    size_t width = stored_sizes[t], done = 0;
    uint8_t *base = room(COUNT, width), *edited = room(COUNT, width), *only = room(COUNT, width);
    random_base(type, base, COUNT);
    random_changes(delta, COUNT);
    // Which sums overflow belongs to the answer; there the change is taken out.
    uint64_t digest = empty_digest;
    for (;;) {
      done = errata_round_sums(type, base, delta, edited, COUNT);
      digest = digest_of(digest, &(uint64_t){done}, 8);
      if (done == COUNT) break;
      delta[done] = 0;
    }
    digest = digest_of(digest, edited, COUNT * width);
    memcpy(only, base, COUNT * width);
    errata_round_sums(type, only, delta, only, COUNT);
    if (memcmp(only, edited, COUNT * width) != 0) abort();
    char name[32];
    snprintf(name, sizeof name, "round_sums/%s", stored_names[t]);
    report(name, digest);

    for (int knows_base = 1; knows_base >= 0; knows_base--) {
      size_t slots = COUNT + errata_open_elements_slack;
      errata_open_elements_list list = {room(slots, 4), room(slots, 4), room(slots, 4)};
      size_t open =
          errata_open_elements(type, knows_base ? base : NULL, edited, delta, knows_base ? NULL : only, 7, list, COUNT);
      digest = digest_of(empty_digest, list.low, 4 * open);
      digest = digest_of(digest, list.high, 4 * open);
      digest = digest_of(digest, list.marks, 4 * open);
      if (!knows_base) {
        // Of the others: what stands at an open element is nobody's business.
        for (size_t k = 0; k < open; k++) memset(only + width * ((uint32_t)list.marks[k] - 7), 0, width);
        digest = digest_of(digest, only, COUNT * width);
      }
      snprintf(name, sizeof name, "open_elements/%s/%s", stored_names[t], knows_base ? "base" : "only");
      report(name, digest);

      errata_even_candidates *sets = room(open, sizeof *sets);
      errata_find_even_candidates(
          type == errata_stored_bf16  ? 7
          : type == errata_stored_f16 ? 10
                                      : 23,
          list.low, list.high, sets, open);
      digest = empty_digest;
      for (size_t k = 0; k < open; k++) {
        digest = digest_of(digest, &sets[k].count, 4);
        if (sets[k].count > 0) digest = digest_of(digest, sets + k, sizeof *sets);
      }
      snprintf(name, sizeof name, "even_candidates/%s/%s", stored_names[t], knows_base ? "base" : "only");
      report(name, digest);
      free(sets), free(list.low), free(list.high), free(list.marks);
    }
    free(base), free(edited), free(only);
  }
  free(delta);
}

// MARK: SHA-256

// Messages of all lengths around a block's, several at the same time, in two pieces each. Where the processor lacks the
// instructions there is no line: whoever needs a digest there has another library.
static void hash(void) {
  enum { MESSAGES = 5, LONGEST = 300 };
  if (!errata_sha256_is_there()) return;
  random_state = 4;
  uint64_t digest = empty_digest;
  for (size_t length = 0; length + MESSAGES <= LONGEST; length++) {
    errata_sha256 messages[MESSAGES], *list[MESSAGES];
    uint8_t *bytes[MESSAGES];
    const uint8_t *starts[MESSAGES];
    size_t counts[MESSAGES], lengths[MESSAGES];
    for (size_t m = 0; m < MESSAGES; m++) {
      lengths[m] = length + m;
      bytes[m] = room(lengths[m] + (lengths[m] == 0), 1);
      for (size_t i = 0; i < lengths[m]; i++) bytes[m][i] = (uint8_t)next_random();
      errata_sha256_begin(&messages[m]);
      list[m] = &messages[m];
      starts[m] = bytes[m];
      counts[m] = lengths[m] / 3;
    }
    errata_sha256_update(list, starts, counts, MESSAGES);
    for (size_t m = 0; m < MESSAGES; m++) {
      starts[m] += counts[m];
      counts[m] = lengths[m] - counts[m];
    }
    errata_sha256_update(list, starts, counts, MESSAGES);
    for (size_t m = 0; m < MESSAGES; m++) {
      uint8_t result[32];
      errata_sha256_finish(&messages[m], result);
      digest = digest_of(digest, result, 32);
      free(bytes[m]);
    }
  }
  report("sha256", digest);
}

// MARK: Product

static void multiply(void) {
  static const size_t extents[][3] = {{1, 1, 1}, {4, 192, 24}, {5, 193, 25}, {7, 400, 49}, {3, 0, 2}};
  uint64_t digest = empty_digest;
  random_state = 11;
  for (size_t e = 0; e < sizeof extents / sizeof *extents; e++) {
    size_t rows = extents[e][0], inner = extents[e][1], columns = extents[e][2];
    double *left = room(rows * inner, 8), *right = room(inner * columns, 8), *result = room(rows * columns, 8);
    for (size_t i = 0; i < rows * inner; i++) left[i] = next_double();
    for (size_t i = 0; i < inner * columns; i++) right[i] = next_double();
    for (size_t i = 0; i < rows * columns; i++) result[i] = next_double();
    errata_add_product(left, right, rows, inner, columns, result);
    digest = digest_of(digest, result, 8 * rows * columns);
    free(left);
    free(right);
    free(result);
  }
  report("add_product", digest);
}

// MARK: The operators of the transformer

static float *random_values(size_t count) {
  float *values = room(count, 4);
  for (size_t i = 0; i < count; i++) values[i] = (float)(next_double() * 4);
  return values;
}

static void run_operators(void) {
  enum { ROWS = 7, WIDTH = 37, PAIRS = 8, HEADS = 2 };
  random_state = 5;
  float *x = random_values(ROWS * 2 * WIDTH), *d = random_values(ROWS * 2 * WIDTH),
        *y = random_values(ROWS * 2 * WIDTH);
  float *weight = random_values(WIDTH), *bias = random_values(WIDTH), *small = random_values(WIDTH * WIDTH);
  double result;
  for (int kind = ERRATA_SILU; kind <= ERRATA_RELU; kind++) {
    // What overflows in a broken model must not be undefined either.
    for (int is_broken = 0; is_broken < 2; is_broken++) {
      x[1] = is_broken ? NAN : 1;
      x[2] = is_broken ? INFINITY : 1;
      errata_gated_forward(kind, x, y, ROWS, WIDTH);
      errata_gated_backward(kind, x, d, y, ROWS, WIDTH);
      errata_activation_forward(kind, x, y, ROWS * WIDTH);
      errata_activation_backward(kind, x, d, y, ROWS * WIDTH);
    }
  }
  x[1] = x[2] = 1;
  errata_rms_norm_forward(x, weight, 1e-5f, y, ROWS, WIDTH);
  errata_rms_norm_backward(x, weight, 1e-5f, d, y, ROWS, WIDTH);
  errata_layer_norm_forward(x, weight, bias, 1e-5f, y, ROWS, WIDTH);
  errata_layer_norm_forward(x, weight, NULL, 1e-5f, y, ROWS, WIDTH);
  errata_layer_norm_backward(x, weight, 1e-5f, d, y, ROWS, WIDTH);
  for (int accumulate = 0; accumulate < 2; accumulate++) {
    errata_small_product(x, 2 * WIDTH, small, WIDTH, y, 2 * WIDTH, ROWS, WIDTH, WIDTH, accumulate);
  }
  errata_small_transpose(small, WIDTH, y, ROWS, ROWS, 2 * ROWS);
  errata_causal_softmax(y, 2 * WIDTH, ROWS, WIDTH, WIDTH - ROWS, 5, 0.5f);
  errata_causal_softmax_backward(y, d, 2 * WIDTH, ROWS, WIDTH, 0.5f);
  errata_soft_cap(y, 2 * WIDTH, ROWS, WIDTH, 0.5f, 30);
  errata_soft_cap_backward(y, d, 2 * WIDTH, ROWS, WIDTH, 0.5f, 30);
  int32_t positions[ROWS] = {0, 1, 2, 3, 4, 4, 0};
  float *cosine = random_values(5 * PAIRS), *sine = random_values(5 * PAIRS);
  for (int interleaved = 0; interleaved < 2; interleaved++) {
    errata_rotate(x, 2 * WIDTH, ROWS, HEADS, 2 * PAIRS + 2, PAIRS, interleaved, positions, cosine, sine, -1);
  }
  size_t count = ROWS * 2 * WIDTH;
  errata_log_sum_exp(x, count, &result);
  float log_sum = (float)result;
  errata_log_probabilities(x, log_sum, y, count);
  errata_negative_log_likelihood_backward(x, log_sum, 0.5f, 3, d, count);
  errata_divergence(x, log_sum, y, count, &result);
  errata_divergence_backward(x, log_sum, y, (float)result, 0.5f, d, count);
  free(x), free(d), free(y), free(weight), free(bias), free(small), free(cosine), free(sine);
}

int main(int count, char **arguments) {
  convert();
  accumulate();
  round_and_bound();
  hash();
  multiply();
  if (count > 1 && strcmp(arguments[1], "--all") == 0) run_operators();
  return 0;
}
