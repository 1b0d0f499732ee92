#define _GNU_SOURCE
#include "writeback.h"

#include <fcntl.h>

void errata_start_writeback(int descriptor) {
#if defined(__linux__)
  sync_file_range(descriptor, 0, 0, SYNC_FILE_RANGE_WRITE);
#else
  (void)descriptor;
#endif
}
