#ifndef ERRATA_FILE_CALLS_H
#define ERRATA_FILE_CALLS_H

#include <stddef.h>
#include <sys/types.h>

// System calls that Swift does not see.

// Copies up to `count` bytes of one file to the same place of another, within the kernel. Returns how many, 0 at the
// input's end, or -1 with errno set.
ssize_t errata_copy_range(int input, int output, off_t offset, size_t count);

// Begins to write a part of a file from memory to disk, and does not wait until it is there.
void errata_start_writing(int file, off_t offset, size_t count);

// Opens a new file for reading and writing in an open folder that has no name yet; linkat gives it one. Returns -1 with
// errno set if there can be none.
int errata_open_nameless(int folder, mode_t mode);

// Opens a new file for reading and writing that has no name, on the file system of a folder: nobody else can open it,
// and it is gone when it is closed. Returns -1 with errno set if there can be none.
int errata_open_unlinked(const char *folder);

// Brings everything on the file system of an open file to the disk. Returns 0, or -1 with errno set.
int errata_synchronize_file_system(int file);

#endif
