// OpenBLAS starts a thread for every processor as it is loaded, before the program can say how many it wants, and where
// it is not given one it writes two lines and interrupts the process. So that is told here, in one line, as long as
// libraries are loaded. Afterwards whoever asks for a thread is told that there is none (Tensors/SystemThread).
#define _GNU_SOURCE
#include "CToolSupport.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#if defined(__GLIBC__) && !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)

typedef int starter(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
  static starter *next;
  starter *start = __atomic_load_n(&next, __ATOMIC_ACQUIRE);
  if (start == NULL) {
    start = (starter *)dlsym(RTLD_NEXT, "pthread_create");
    __atomic_store_n(&next, start, __ATOMIC_RELEASE);
  }
  int result = start(thread, attributes, body, argument);
  if (result != 0 && errata_is_loading && errata_program_name != NULL) {
    char text[256];
    snprintf(
        text, sizeof text,
        "a thread was refused as libraries were loaded: %s; allow more (ulimit -v, -u), or set OPENBLAS_NUM_THREADS=1",
        strerror(result));
    errata_end_refused(text);
  }
  return result;
}

#endif
