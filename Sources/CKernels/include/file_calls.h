#ifndef ERRATA_FILE_CALLS_H
#define ERRATA_FILE_CALLS_H

#include <stddef.h>
#include <sys/types.h>

// A system call that Swift does not see. Copies up to `count` bytes from where one file stands to where the other does,
// within the kernel.
// Returns how many, or -1 with errno set, as copy_file_range(2).
ssize_t errata_copy_file_range(int input, int output, size_t count);

#endif
