// What has to be so before the first shared library is initialised.
#define _GNU_SOURCE
#include "CToolSupport.h"

#include <stdlib.h>
#include <string.h>

#if defined(__linux__)

static void prepare(int count, char **arguments, char **environment) {
  (void)environment;
  // ToolMain gives the name that people know.
  const char *program = count > 0 ? arguments[0] : "errata";
  const char *slash = strrchr(program, '/');
  errata_explain_out_of_memory(slash == NULL ? program : slash + 1);
  // OpenBLAS starts a thread for every processor as it is loaded, and ends the process where it is not given one. With
  // one to begin with, it starts the others when LinearAlgebra asks for them, which has seen that it can have them.
  setenv("OPENBLAS_NUM_THREADS", "1", 0);
}

// Of an executable, the loader calls these before the constructors of all libraries (System V ABI, "Initialization and
// Termination Functions").
__attribute__((section(".preinit_array"), used)) static void (*const preparing)(int, char **, char **) = prepare;

#endif
