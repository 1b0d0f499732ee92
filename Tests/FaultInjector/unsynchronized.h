// What a loss of power would take back: changes of files and of directories that no fsync has put on disk.
#ifndef UNSYNCHRONIZED_H
#define UNSYNCHRONIZED_H

#include <stdbool.h>
#include <sys/stat.h>

// Keeps what is replaced or removed in `folder`, which is on the same file system and is not looked at.
void keep_in(const char *folder);

// Each of these is told of a change before it is made; `path` is absolute.
void before_data_change(const char *path);
void before_entry_made(const char *path);
void before_entry_removed(const char *path);
void before_rename(const char *from, const char *to);

// The last change that was told of was not made after all.
void forget_last_change(void);

// A file or a directory was flushed: its bytes or its entries stay.
void after_fsync(const char *path);

// Everything was flushed.
void after_syncfs(void);

// Takes back what was not flushed: the bytes of files, and, if `entries`, what became of names too.
void lose(bool entries);

#endif
