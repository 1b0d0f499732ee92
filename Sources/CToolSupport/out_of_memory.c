// Swift's runtime, Foundation and zstd end, or crash, when an allocation fails, each in its own way and none in words
// that help. A tool says it once, for all of them, in the allocator itself: its functions stand before those of the C
// library, as the library allows (glibc manual, "Replacing malloc"), and call them.
#include "CToolSupport.h"

#include <stdint.h>
#include <stdio.h>

#if defined(__GLIBC__) && !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)

#include <errno.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void *__libc_valloc(size_t size);
extern void *__libc_pvalloc(size_t size);

static void *checked(void *memory, size_t size) {
  if (memory != NULL || size == 0 || errata_program_name == NULL) return memory;
  char text[256];
  // Nothing is allocated for a number.
  snprintf(
      text, sizeof text,
      "out of memory: %zu bytes could not be had; close other programs, or allow more (ulimit -v)", size);
  errata_end_refused(text);
}

void *malloc(size_t size) { return checked(__libc_malloc(size), size); }

void *calloc(size_t count, size_t size) {
  size_t total;
  if (__builtin_mul_overflow(count, size, &total)) total = SIZE_MAX;
  return checked(__libc_calloc(count, size), total);
}

void *realloc(void *old, size_t size) { return checked(__libc_realloc(old, size), size); }

void *memalign(size_t alignment, size_t size) { return checked(__libc_memalign(alignment, size), size); }

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

void *valloc(size_t size) { return checked(__libc_valloc(size), size); }

void *pvalloc(size_t size) { return checked(__libc_pvalloc(size), size); }

int posix_memalign(void **memory, size_t alignment, size_t size) {
  if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
  void *made = memalign(alignment, size);
  if (made == NULL && size > 0) return ENOMEM;
  *memory = made;
  return 0;
}

#endif
