#define _GNU_SOURCE
#include "unsynchronized.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

enum kind { data_changed, entry_made, entry_removed, entry_renamed };

// A place in a directory. The directory's path may change; its descriptor stays.
struct entry {
  int directory;
  struct stat directory_status;
  char name[NAME_MAX + 1];
};

struct change {
  enum kind kind;
  bool is_flushed;
  struct entry entry;   // what was made or removed; of a rename, the new name
  struct entry former;  // of a rename, the old name
  bool is_directory;
  char kept[PATH_MAX];  // the former bytes, or a name of the file that was removed or replaced; empty if there is none
  int file;             // of a change of data
  struct stat status;
};

static struct change *changes;
static int change_count;
static char folder[PATH_MAX];
static int kept_count;

void keep_in(const char *path) { snprintf(folder, sizeof folder, "%s", path); }

static struct change *add(enum kind kind) {
  changes = realloc(changes, (change_count + 1) * sizeof *changes);
  if (changes == NULL) err(3, "memory");
  struct change *change = &changes[change_count++];
  memset(change, 0, sizeof *change);
  change->kind = kind;
  change->file = -1;
  return change;
}

static void set_entry(struct entry *entry, const char *path) {
  char copy[PATH_MAX];
  snprintf(copy, sizeof copy, "%s", path);
  snprintf(entry->name, sizeof entry->name, "%s", basename(copy));
  snprintf(copy, sizeof copy, "%s", path);
  entry->directory = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (entry->directory >= 0) fstat(entry->directory, &entry->directory_status);
}

static void next_kept(char *path) { snprintf(path, PATH_MAX, "%s/%d", folder, kept_count++); }

static bool is_same(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static void copy_bytes(int from, int to) {
  lseek(from, 0, SEEK_SET);
  while (sendfile(to, from, NULL, 1 << 30) > 0) {}
}

void before_data_change(const char *path) {
  int file = open(path, O_RDWR | O_CLOEXEC);
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    add(data_changed)->is_flushed = true;
    if (file >= 0) close(file);
    return;
  }
  for (int i = 0; i < change_count; i++) {
    if (changes[i].kind == data_changed && !changes[i].is_flushed && is_same(&changes[i].status, &status)) {
      close(file);
      add(data_changed)->is_flushed = true;  // the bytes before are kept already
      return;
    }
  }
  struct change *change = add(data_changed);
  change->file = file;
  change->status = status;
  next_kept(change->kept);
  int copy = open(change->kept, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (copy < 0) err(3, "%s", change->kept);
  copy_bytes(file, copy);
  close(copy);
}

void before_entry_made(const char *path) {
  struct stat status;
  struct change *change = add(entry_made);
  set_entry(&change->entry, path);
  if (lstat(path, &status) == 0) change->is_flushed = true;  // it is there
}

static void keep_file(struct change *change, const char *path) {
  struct stat status;
  if (lstat(path, &status) != 0) return;
  change->is_directory = S_ISDIR(status.st_mode);
  change->status = status;
  if (change->is_directory) return;
  next_kept(change->kept);
  if (link(path, change->kept) != 0) err(3, "link %s", path);
}

void before_entry_removed(const char *path) {
  struct change *change = add(entry_removed);
  set_entry(&change->entry, path);
  keep_file(change, path);
}

void before_rename(const char *from, const char *to) {
  struct change *change = add(entry_renamed);
  set_entry(&change->former, from);
  set_entry(&change->entry, to);
  keep_file(change, to);
}

void forget_last_change(void) { changes[change_count - 1].is_flushed = true; }

void after_fsync(const char *path) {
  struct stat status;
  if (stat(path, &status) != 0) return;
  for (int i = 0; i < change_count; i++) {
    struct change *change = &changes[i];
    const struct stat *flushed = change->kind == data_changed ? &change->status : &change->entry.directory_status;
    if (!change->is_flushed && is_same(flushed, &status)) change->is_flushed = true;
  }
}

void after_syncfs(void) {
  for (int i = 0; i < change_count; i++) changes[i].is_flushed = true;
}

// A directory that was removed and is made again is another one.
static void replace_directory(int before, const struct stat *old, const struct entry *made) {
  int directory = openat(made->directory, made->name, O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; i < before; i++) {
    struct entry *entries[] = {&changes[i].entry, &changes[i].former};
    for (int j = 0; j < 2; j++) {
      if (is_same(&entries[j]->directory_status, old)) entries[j]->directory = directory;
    }
  }
}

static void take_back(struct change *change, int index) {
  struct entry *entry = &change->entry;
  switch (change->kind) {
    case data_changed: break;
    case entry_made:
      if (unlinkat(entry->directory, entry->name, 0) != 0) unlinkat(entry->directory, entry->name, AT_REMOVEDIR);
      break;
    case entry_removed:
      if (change->is_directory) {
        mkdirat(entry->directory, entry->name, change->status.st_mode & 0777);
        replace_directory(index, &change->status, entry);
      } else {
        linkat(AT_FDCWD, change->kept, entry->directory, entry->name, 0);
      }
      break;
    case entry_renamed:
      renameat(entry->directory, entry->name, change->former.directory, change->former.name);
      if (change->kept[0] != 0) linkat(AT_FDCWD, change->kept, entry->directory, entry->name, 0);
      break;
  }
}

void lose(bool entries) {
  for (int i = change_count - 1; i >= 0; i--) {
    struct change *change = &changes[i];
    if (change->is_flushed) continue;
    if (change->kind == data_changed) {
      int kept = open(change->kept, O_RDONLY | O_CLOEXEC);
      if (kept < 0 || ftruncate(change->file, 0) != 0) err(3, "%s", change->kept);
      lseek(change->file, 0, SEEK_SET);
      copy_bytes(kept, change->file);
      close(kept);
    } else if (entries) {
      take_back(change, i);
    }
  }
}
