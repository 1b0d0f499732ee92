// What must be known of the program before the first shared library is initialised, and how it ends where it cannot go
// on.
#define _GNU_SOURCE
#include "CToolSupport.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

const char *errata_program_name;
bool errata_is_loading = true;

void errata_name_program(const char *name) {
  errata_program_name = name;
  errata_is_loading = false;
}

_Noreturn void errata_end_refused(const char *text) {
  // Several threads may find at the same time that there is no more.
  static bool has_ended;
  if (__atomic_exchange_n(&has_ended, true, __ATOMIC_SEQ_CST)) {
    for (;;) pause();
  }
  char line[512];
  int length = snprintf(line, sizeof line, "%.100s: %.380s\n", errata_program_name, text);
  // Whether the line is written or not, there is nothing else to do.
  ssize_t written = write(STDERR_FILENO, line, (size_t)length);
  (void)written;
  _exit(1);
}

void errata_reserve_stack(void) {
  enum { wanted = 1 << 20 };
  struct rlimit limit;
  if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur < 4 * (rlim_t)wanted) return;
  void *room = mmap(NULL, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) {
    errata_end_refused("out of memory: a stack could not be had; close other programs, or allow more (ulimit -v)");
  }
  munmap(room, wanted);
  volatile char *lowest = __builtin_alloca(wanted);
  lowest[0] = 0;
}

#if defined(__linux__)

static void name_program(int count, char **arguments, char **environment) {
  (void)environment;
  static char name[64];
  const char *slash = count > 0 ? strrchr(arguments[0], '/') : NULL;
  snprintf(name, sizeof name, "%s", slash != NULL ? slash + 1 : count > 0 ? arguments[0] : "errata");
  // As people call it, and ToolMain will.
  if (strncmp(name, "errata-", 7) == 0) name[6] = ' ';
  errata_program_name = name;
}

// Of an executable, the loader calls these before the constructors of all libraries (System V ABI, "Initialization and
// Termination Functions").
__attribute__((section(".preinit_array"), used)) static void (*const naming)(int, char **, char **) = name_program;

#endif
