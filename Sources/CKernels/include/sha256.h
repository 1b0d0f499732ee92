#ifndef ERRATA_SHA256_H
#define ERRATA_SHA256_H
#include <stddef.h>
#include <stdint.h>

// SHA-256 (FIPS 180-4) by the processor's instructions, of several messages at the same time: of one alone, each
// instruction waits for the one before.

typedef struct {
  uint32_t state[8];
  uint8_t pending[64];  // the bytes after the last whole block
  uint64_t byte_count;
} errata_sha256;

// Whether the processor has the instructions. Where it has not, the functions below must not be called.
int errata_sha256_is_there(void);

void errata_sha256_begin(errata_sha256 *message);

// Takes the next bytes of every message; no two messages are the same.
void errata_sha256_update(
    errata_sha256 *const *messages, const uint8_t *const *bytes, const size_t *counts, size_t message_count);

void errata_sha256_finish(errata_sha256 *message, uint8_t digest[32]);

#endif
