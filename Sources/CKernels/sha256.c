#include "sha256.h"

#include <string.h>

#include "dispatch.h"

#if defined(__x86_64__)
#include <cpuid.h>
#define SHA __attribute__((target("sha,sse4.1")))

static int processor_has_sha256(void) {
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1) && __builtin_cpu_supports("sse4.1");
}
#elif defined(__aarch64__) && defined(__linux__)
#include <arm_neon.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#define SHA __attribute__((target("sha2")))

static int processor_has_sha256(void) { return (getauxval(AT_HWCAP) & HWCAP_SHA2) != 0; }
#endif

#if defined(SHA)

enum { BLOCK = 64, LANES = 3 };

int errata_sha256_is_there(void) { return processor_has_sha256() && !errata_is_held_to_baseline(); }

static const uint32_t round_constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#if defined(__x86_64__)
// Blocks of `lanes` messages, a constant, in step. The instructions hold the state as a, b, e, f and c, d, g, h.
SHA ERRATA_INLINE void add_blocks(int lanes, uint32_t *const *states, const uint8_t *const *bytes, size_t block_count) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  __m128i abef[LANES], cdgh[LANES];
  for (int l = 0; l < lanes; l++) {
    __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)states[l]), 0xb1);
    __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(states[l] + 4)), 0x1b);
    abef[l] = _mm_alignr_epi8(badc, hgfe, 8);
    cdgh[l] = _mm_blend_epi16(hgfe, badc, 0xf0);
  }
  for (size_t block = 0; block < block_count; block++) {
    __m128i words[LANES][4], abef_before[LANES], cdgh_before[LANES];
    for (int l = 0; l < lanes; l++) {
      const __m128i *message = (const __m128i *)(bytes[l] + BLOCK * block);
      for (int i = 0; i < 4; i++) words[l][i] = _mm_shuffle_epi8(_mm_loadu_si128(message + i), big_endian);
      abef_before[l] = abef[l];
      cdgh_before[l] = cdgh[l];
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < 16; r++) {
      __m128i constants = _mm_load_si128((const __m128i *)(round_constants + 4 * r));
      for (int l = 0; l < lanes; l++) {
        __m128i *w = words[l], sums = _mm_add_epi32(w[r & 3], constants);
        cdgh[l] = _mm_sha256rnds2_epu32(cdgh[l], abef[l], sums);
        abef[l] = _mm_sha256rnds2_epu32(abef[l], cdgh[l], _mm_shuffle_epi32(sums, 0x0e));
        if (r < 12) {
          __m128i next = _mm_sha256msg1_epu32(w[r & 3], w[(r + 1) & 3]);
          next = _mm_add_epi32(next, _mm_alignr_epi8(w[(r + 3) & 3], w[(r + 2) & 3], 4));
          w[r & 3] = _mm_sha256msg2_epu32(next, w[(r + 3) & 3]);
        }
      }
    }
    for (int l = 0; l < lanes; l++) {
      abef[l] = _mm_add_epi32(abef[l], abef_before[l]);
      cdgh[l] = _mm_add_epi32(cdgh[l], cdgh_before[l]);
    }
  }
  for (int l = 0; l < lanes; l++) {
    __m128i feba = _mm_shuffle_epi32(abef[l], 0x1b), dchg = _mm_shuffle_epi32(cdgh[l], 0xb1);
    _mm_storeu_si128((__m128i *)states[l], _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(states[l] + 4), _mm_alignr_epi8(dchg, feba, 8));
  }
}
#else
// The same; here the instructions hold the state as a, b, c, d and e, f, g, h.
SHA ERRATA_INLINE void add_blocks(int lanes, uint32_t *const *states, const uint8_t *const *bytes, size_t block_count) {
  uint32x4_t abcd[LANES], efgh[LANES];
  for (int l = 0; l < lanes; l++) {
    abcd[l] = vld1q_u32(states[l]);
    efgh[l] = vld1q_u32(states[l] + 4);
  }
  for (size_t block = 0; block < block_count; block++) {
    uint32x4_t words[LANES][4], abcd_before[LANES], efgh_before[LANES];
    for (int l = 0; l < lanes; l++) {
      const uint8_t *message = bytes[l] + BLOCK * block;
      for (int i = 0; i < 4; i++) words[l][i] = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(message + 16 * i)));
      abcd_before[l] = abcd[l];
      efgh_before[l] = efgh[l];
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < 16; r++) {
      uint32x4_t constants = vld1q_u32(round_constants + 4 * r);
      for (int l = 0; l < lanes; l++) {
        uint32x4_t *w = words[l], sums = vaddq_u32(w[r & 3], constants), before = abcd[l];
        abcd[l] = vsha256hq_u32(before, efgh[l], sums);
        efgh[l] = vsha256h2q_u32(efgh[l], before, sums);
        if (r < 12)
          w[r & 3] = vsha256su1q_u32(vsha256su0q_u32(w[r & 3], w[(r + 1) & 3]), w[(r + 2) & 3], w[(r + 3) & 3]);
      }
    }
    for (int l = 0; l < lanes; l++) {
      abcd[l] = vaddq_u32(abcd[l], abcd_before[l]);
      efgh[l] = vaddq_u32(efgh[l], efgh_before[l]);
    }
  }
  for (int l = 0; l < lanes; l++) {
    vst1q_u32(states[l], abcd[l]);
    vst1q_u32(states[l] + 4, efgh[l]);
  }
}
#endif

SHA static void add_blocks_of(size_t lanes, uint32_t *const *states, const uint8_t *const *bytes, size_t block_count) {
  switch (lanes) {
    case 1: add_blocks(1, states, bytes, block_count); break;
    case 2: add_blocks(2, states, bytes, block_count); break;
    default: add_blocks(3, states, bytes, block_count); break;
  }
}

void errata_sha256_begin(errata_sha256 *message) {
  static const uint32_t start[8] = {
      0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
  };
  memcpy(message->state, start, sizeof start);
  message->byte_count = 0;
}

// The next bytes of at most as many messages as there are lanes.
static void update_some(
    errata_sha256 *const *messages, const uint8_t *const *bytes, const size_t *counts, size_t message_count) {
  const uint8_t *position[LANES];
  size_t left[LANES];
  for (size_t m = 0; m < message_count; m++) {
    errata_sha256 *message = messages[m];
    position[m] = bytes[m];
    left[m] = counts[m];
    size_t pending = message->byte_count % BLOCK;
    message->byte_count += counts[m];
    if (pending == 0) continue;
    size_t taken = left[m] < BLOCK - pending ? left[m] : BLOCK - pending;
    if (taken > 0) memcpy(message->pending + pending, position[m], taken);
    position[m] += taken;
    left[m] -= taken;
    if (pending + taken < BLOCK) continue;
    uint32_t *state = message->state;
    const uint8_t *block = message->pending;
    add_blocks_of(1, &state, &block, 1);
  }
  // In step until the shortest has no whole block left.
  for (;;) {
    uint32_t *states[LANES];
    const uint8_t *starts[LANES];
    size_t lanes = 0, block_count = SIZE_MAX;
    for (size_t m = 0; m < message_count; m++) {
      if (left[m] < BLOCK) continue;
      states[lanes] = messages[m]->state;
      starts[lanes++] = position[m];
      block_count = left[m] / BLOCK < block_count ? left[m] / BLOCK : block_count;
    }
    if (lanes == 0) break;
    add_blocks_of(lanes, states, starts, block_count);
    for (size_t m = 0; m < message_count; m++) {
      if (left[m] < BLOCK) continue;
      position[m] += BLOCK * block_count;
      left[m] -= BLOCK * block_count;
    }
  }
  for (size_t m = 0; m < message_count; m++) {
    // What did not complete a block lies there already.
    if (left[m] > 0) memcpy(messages[m]->pending, position[m], left[m]);
  }
}

void errata_sha256_update(
    errata_sha256 *const *messages, const uint8_t *const *bytes, const size_t *counts, size_t message_count) {
  for (size_t m = 0; m < message_count; m += LANES) {
    size_t count = message_count - m < LANES ? message_count - m : LANES;
    update_some(messages + m, bytes + m, counts + m, count);
  }
}

void errata_sha256_finish(errata_sha256 *message, uint8_t digest[32]) {
  uint64_t bit_count = 8 * message->byte_count;
  size_t pending = message->byte_count % BLOCK;
  uint8_t end[2 * BLOCK] = {0x80};
  size_t count = (pending < BLOCK - 8 ? BLOCK : 2 * BLOCK) - pending;
  for (int i = 0; i < 8; i++) end[count - 1 - (size_t)i] = (uint8_t)(bit_count >> (8 * i));
  const uint8_t *bytes = end;
  update_some(&message, &bytes, &count, 1);
  for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(message->state[i / 4] >> (24 - 8 * (i % 4)));
}

#else

int errata_sha256_is_there(void) { return 0; }
void errata_sha256_begin(errata_sha256 *message) { (void)message; }
void errata_sha256_update(
    errata_sha256 *const *messages, const uint8_t *const *bytes, const size_t *counts, size_t message_count) {
  (void)messages, (void)bytes, (void)counts, (void)message_count;
}
void errata_sha256_finish(errata_sha256 *message, uint8_t digest[32]) { (void)message, (void)digest; }

#endif
