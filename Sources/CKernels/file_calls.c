#define _GNU_SOURCE
#include "file_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/sendfile.h>
#endif

ssize_t errata_copy_range(int input, int output, off_t offset, size_t count) {
#if defined(__linux__)
  off_t input_offset = offset, output_offset = offset;
  ssize_t copied = copy_file_range(input, &input_offset, output, &output_offset, count, 0);
  if (copied >= 0 || (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)) return copied;
  // Not within one file system, or the file system does not know how.
  if (lseek(output, offset, SEEK_SET) < 0) return -1;
  return sendfile(output, input, &offset, count);
#else
  (void)input, (void)output, (void)offset, (void)count;
  errno = ENOSYS;
  return -1;
#endif
}

void errata_start_writing(int file, off_t offset, size_t count) {
#if defined(__linux__)
  int before = errno;
  // Only advice: whether the bytes arrive is what fsync says.
  if (sync_file_range(file, offset, (off_t)count, SYNC_FILE_RANGE_WRITE) != 0) errno = before;
#else
  (void)file, (void)offset, (void)count;
#endif
}

int errata_open_nameless(int folder, mode_t mode) {
#if defined(O_TMPFILE)
  return openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
#else
  (void)folder, (void)mode;
  errno = EOPNOTSUPP;
  return -1;
#endif
}

int errata_open_unlinked(const char *folder) {
#if defined(O_TMPFILE)
  int made = open(folder, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
  // Else the file system, or the kernel, does not know how.
  if (made >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return made;
#endif
  char name[PATH_MAX];
  if (snprintf(name, sizeof name, "%s/.errata-copy.XXXXXX", folder) >= (int)sizeof name) {
    errno = ENAMETOOLONG;
    return -1;
  }
  int file = mkstemp(name);
  if (file < 0) return -1;
  fcntl(file, F_SETFD, FD_CLOEXEC);
  unlink(name);
  return file;
}

int errata_synchronize_file_system(int file) {
#if defined(__linux__)
  return syncfs(file);
#else
  (void)file;
  sync();
  return 0;
#endif
}
