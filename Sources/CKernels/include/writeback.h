#ifndef ERRATA_WRITEBACK_H
#define ERRATA_WRITEBACK_H

// Lets the kernel begin to write a file's bytes to disk, without waiting for it. Swift does not see this system call.
void errata_start_writeback(int descriptor);

#endif
