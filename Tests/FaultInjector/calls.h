// Which system calls change files, and which do not.
#ifndef CALLS_H
#define CALLS_H

#include <stdbool.h>

// Where a call's arguments name the file that it changes.
enum form {
  form_fd,         // a descriptor, argument `first`
  form_path,       // a path, argument `first`
  form_at,         // a directory's descriptor, argument `first`, and then a path
  form_two_paths,  // two paths
  form_two_at,     // a directory and a path, twice
};

struct changing_call {
  long number;
  const char *name;
  enum form form;
  int first;
  // Whether it may take space on the disk, and so fail with ENOSPC.
  bool takes_space;
  // The argument with a number of bytes of which less may be done; -1 if there is none.
  int count;
};

// The entry of a call that changes files; null for every other.
const struct changing_call *find_changing_call(long number);

// Whether a call is known to change no file whatever its arguments, or only if its arguments say so: `open`, `mmap`.
bool is_known(long number);

#endif
