#ifndef ERRATA_CTOOLSUPPORT_H
#define ERRATA_CTOOLSUPPORT_H

// From now on an allocation that fails ends the process with exit code 1 and one line, `<name>: out of memory: ...`.
// `name` must stay where it is.
void errata_explain_out_of_memory(const char *name);

#endif
