#ifndef ERRATA_CTOOLSUPPORT_H
#define ERRATA_CTOOLSUPPORT_H

#include <stdbool.h>
#include <stddef.h>

// From now on an allocation that fails ends the process with exit code 1 and one line, `<name>: out of memory: ...`;
// and a thread that is not given no longer does. `name` must stay where it is.
void errata_name_program(const char *name);

// Has the main thread's stack reach down a MiB from here on. It grows as it is used, and where there is no memory left
// to grow into, the process is interrupted without a word; so that is found out now, and told in one line.
void errata_reserve_stack(void);

// Before ToolMain has named the program: the name that it was started by. Null before anything runs.
extern const char *errata_program_name;
extern bool errata_is_loading;

// Ends the process with exit code 1 and the line `<name>: <text>`, whichever thread comes first. Allocates nothing.
_Noreturn void errata_end_refused(const char *text);

#endif
