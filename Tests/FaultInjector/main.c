// fault-injector --under FOLDER [--log FILE] [--usage FILE] [--at N ACTION] -- PROGRAM [ARGUMENT ...]
//
// fault-injector --calls KIND [...] -- PROGRAM [ARGUMENT ...]
//
// Runs a program, and counts its system calls that change files below FOLDER, from 1: the fault points. It sees them
// from outside, by ptrace, so it misses none, and the program has nothing in it for this. Instead of those it may count
// the calls that ask for something, once the tool itself has begun: KIND is memory (brk, mmap, mremap), open (files of
// any kind) or thread. With --log it writes a line for every point; with --usage the processor time of the program, in
// milliseconds, and the most memory that it had, in KiB. When point N is reached, it does what ACTION says:
//   --kill            kills the program (SIGKILL) instead of the call
//   --kill-within     lets half of a write be done, then kills the program
//   --fail ERROR      makes the call fail: ENOSPC, EIO, EROFS, EACCES; ENOMEM, EMFILE, EAGAIN
//   --fail-on ERROR   that, and every later call that could fail so
//   --interrupt       sends the program SIGINT, as Ctrl-C does, and goes on with the call
//   --run COMMAND     runs a shell command before the call
// A kill may be a loss of power: --lose data takes back the bytes that no fsync has put on disk, --lose entries besides
// that what became of directory entries that no fsync of the directory has; KEEP, a folder beside FOLDER, is needed.
//   --keep KEEP
// It exits as the program does, with 137 if it was killed, and with 3 if something is wrong here: also at a system call
// that calls.c does not know.
#define _GNU_SOURCE
#include <elf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"
#include "unsynchronized.h"

enum calls { changing_files, asking_for_memory, opening_files, starting_threads };
enum action { no_action, kill_before, kill_within, fail_once, fail_on, interrupt, run_command };

static struct {
  const char *under;
  enum calls calls;
  FILE *log;
  const char *usage;
  long at;
  enum action action;
  int error;
  const char *command;
  const char *lose;
  char **program;
} options;

static pid_t program;
static long point_count;

// What was decided when a thread entered a call, for when it leaves it.
struct thread {
  pid_t id;
  bool fails;
  long failure;  // what the call then gives
  bool kills;
  bool flushes;
  bool flushes_all;
  bool is_tracked;
  char path[PATH_MAX];
};

static struct thread *thread_of(pid_t id) {
  static struct thread threads[512];
  static int count;
  for (int i = 0; i < count; i++) {
    if (threads[i].id == id) return &threads[i];
  }
  if (count == 512) errx(3, "too many threads");
  threads[count].id = id;
  return &threads[count++];
}

// MARK: The program's registers and memory

// A thread that another one has just ended with the process is not there any more: it has nothing to be told.
static void check(long result, const char *what) {
  if (result != 0 && errno != ESRCH) err(3, "%s", what);
}

static void set_registers(
    pid_t thread, bool skips, int count_argument, unsigned long count, bool is_exit, long result) {
#if defined(__x86_64__)
  struct user_regs_struct registers;
  check(ptrace(PTRACE_GETREGS, thread, 0, &registers), "registers");
  if (skips) registers.orig_rax = -1;
  if (is_exit) registers.rax = result;
  if (count_argument == 2) registers.rdx = count;
  if (count_argument == 3) registers.r10 = count;
  if (count_argument == 4) registers.r8 = count;
  check(ptrace(PTRACE_SETREGS, thread, 0, &registers), "registers");
#elif defined(__aarch64__)
  struct user_regs_struct registers;
  struct iovec part = {&registers, sizeof registers};
  check(ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &part), "registers");
  if (is_exit) registers.regs[0] = result;
  if (count_argument >= 0) registers.regs[count_argument] = count;
  check(ptrace(PTRACE_SETREGSET, thread, NT_PRSTATUS, &part), "registers");
  if (skips) {
    int number = -1;
    struct iovec call = {&number, sizeof number};
    check(ptrace(PTRACE_SETREGSET, thread, NT_ARM_SYSTEM_CALL, &call), "registers");
  }
#else
#error "fault-injector knows the registers of x86-64 and arm64 only"
#endif
}

static void read_text(pid_t thread, unsigned long address, char *text, size_t size) {
  size_t done = 0;
  while (done < size) {
    // Not across a page that may not be there.
    size_t step = 4096 - (address + done) % 4096;
    if (step > size - done) step = size - done;
    struct iovec local = {text + done, step}, remote = {(void *)(address + done), step};
    if (process_vm_readv(thread, &local, 1, &remote, 1, 0) != (ssize_t)step) break;
    if (memchr(text + done, 0, step) != NULL) return;
    done += step;
  }
  text[0] = 0;
}

static void read_link(char *target, const char *format, ...) {
  char name[64];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(name, sizeof name, format, arguments);
  va_end(arguments);
  ssize_t length = readlink(name, target, PATH_MAX - 1);
  target[length < 0 ? 0 : length] = 0;
}

static void path_of_descriptor(pid_t thread, int descriptor, char *path) {
  read_link(path, "/proc/%d/fd/%d", thread, descriptor);
}

static void path_at(pid_t thread, int directory, unsigned long address, char *path) {
  char name[PATH_MAX], folder[PATH_MAX];
  read_text(thread, address, name, sizeof name);
  if (name[0] == '/') {
    strcpy(path, name);
    return;
  }
  if (directory == AT_FDCWD) {
    read_link(folder, "/proc/%d/cwd", thread);
  } else {
    path_of_descriptor(thread, directory, folder);
  }
  if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX) path[0] = 0;
}

// MARK: Fault points

// Sets the paths that a call changes; `second` stays empty where there is one.
static void find_paths(
    pid_t thread, const struct changing_call *call, const __u64 *arguments, char *first, char *second) {
  const __u64 *from = arguments + call->first;
  switch (call->form) {
    case form_fd: path_of_descriptor(thread, (int)from[0], first); break;
    case form_path: path_at(thread, AT_FDCWD, from[0], first); break;
    case form_at: path_at(thread, (int)from[0], from[1], first); break;
    case form_two_paths:
      path_at(thread, AT_FDCWD, from[0], first);
      path_at(thread, AT_FDCWD, from[1], second);
      break;
    case form_two_at:
      path_at(thread, (int)from[0], from[1], first);
      path_at(thread, (int)from[2], from[3], second);
      break;
  }
}

static bool is_under(const char *path) {
  size_t length = strlen(options.under);
  while (length > 1 && options.under[length - 1] == '/') length--;
  return strncmp(path, options.under, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static long open_flags(const struct changing_call *call, const __u64 *arguments) {
  if (call->number == SYS_openat) return (long)arguments[2];
#ifdef SYS_open
  if (call->number == SYS_open) return (long)arguments[1];
#endif
  return O_CREAT | O_TRUNC;
}

static bool is_open(const struct changing_call *call) {
  return strcmp(call->name, "openat") == 0 || strcmp(call->name, "open") == 0 || strcmp(call->name, "creat") == 0;
}

// Whether this call changes files below the folder; a call that only looks does not.
static bool changes_files(
    const struct changing_call *call, const __u64 *arguments, const char *first, const char *second) {
  if (!is_under(first) && !is_under(second)) return false;
  if (is_open(call)) return (open_flags(call, arguments) & (O_ACCMODE | O_CREAT | O_TRUNC)) != O_RDONLY;
  if (call->number == SYS_ioctl) return (unsigned long)arguments[1] == FICLONE;
  return true;
}

// Keeps what a loss of power would bring back.
static bool track(const struct changing_call *call, const __u64 *arguments, const char *first, const char *second) {
  const char *name = call->name;
  struct stat status;
  if (is_open(call)) {
    if (lstat(first, &status) != 0) {
      before_entry_made(first);
    } else if (open_flags(call, arguments) & O_TRUNC) {
      before_data_change(first);
    } else {
      return false;
    }
  } else if (strcmp(name, "rename") == 0) {
    before_rename(first, second);
  } else if (strcmp(name, "link") == 0) {
    before_entry_made(second);
  } else if (strcmp(name, "mkdir") == 0 || strcmp(name, "symlink") == 0 || strcmp(name, "mknod") == 0) {
    before_entry_made(first);
  } else if (strcmp(name, "unlink") == 0 || strcmp(name, "rmdir") == 0) {
    before_entry_removed(first);
  } else if (call->takes_space && strstr(name, "sync") == NULL && strstr(name, "xattr") == NULL) {
    before_data_change(first);
  } else {
    return false;
  }
  return true;
}

static void end_program(void) {
  kill(program, SIGKILL);
  while (waitpid(-1, NULL, __WALL) > 0) {}
  if (options.lose != NULL) lose(strcmp(options.lose, "entries") == 0);
  exit(137);
}

// Whether a call asks for what is counted, and its name.
static bool asks(long number, const char **name) {
  switch (options.calls) {
    case changing_files: break;
    case asking_for_memory:
      *name = number == SYS_brk ? "brk" : number == SYS_mremap ? "mremap" : "mmap";
      return number == SYS_brk || number == SYS_mmap || number == SYS_mremap;
    case opening_files: *name = "open";
#ifdef SYS_open
      if (number == SYS_open) return true;
#endif
      return number == SYS_openat || number == SYS_openat2;
    case starting_threads: *name = "clone"; return number == SYS_clone || number == SYS_clone3;
  }
  return false;
}

// The call of a program that asks for something.
static void enter_asking_call(struct thread *thread, long number, const __u64 *arguments) {
  static bool has_begun;
  // What a tool does first (ToolMain): what comes before is the loader's.
  has_begun |= number == SYS_rt_sigaction && arguments[0] == SIGXFSZ;
  const char *name;
  if (!has_begun || !asks(number, &name)) return;
  point_count++;
  if (options.log != NULL) fprintf(options.log, "%ld %s\n", point_count, name);
  if (point_count == options.at || (point_count > options.at && options.at > 0 && options.action == fail_on)) {
    thread->fails = true;
    // brk says where the end is: the C library takes 0 for a failure, and asks again the next time.
    thread->failure = number == SYS_brk ? 0 : -options.error;
    set_registers(thread->id, true, -1, 0, false, 0);
  }
}

static void enter_call(pid_t id, long number, const __u64 *arguments) {
  struct thread *thread = thread_of(id);
  thread->fails = thread->kills = thread->flushes = thread->is_tracked = false;
  if (options.calls != changing_files) return enter_asking_call(thread, number, arguments);
  if (!is_known(number)) errx(3, "system call %ld: say in calls.c whether it changes files", number);
  if (number == SYS_mmap && arguments[3] & MAP_SHARED && arguments[2] & PROT_WRITE && (int)arguments[4] >= 0) {
    char path[PATH_MAX];
    path_of_descriptor(id, (int)arguments[4], path);
    if (is_under(path)) errx(3, "%s: is mapped to be written; this program does not see such writes", path);
  }
  const struct changing_call *call = find_changing_call(number);
  if (call == NULL) return;
  char second[PATH_MAX] = "";
  find_paths(id, call, arguments, thread->path, second);
  if (!changes_files(call, arguments, thread->path, second)) return;

  point_count++;
  if (options.log != NULL) {
    const char *path = thread->path + (is_under(thread->path) ? strlen(options.under) : 0);
    fprintf(
        options.log, "%ld %s %s%s%s\n", point_count, call->name, path[0] == 0 ? "/" : path,
        second[0] == 0 ? "" : " -> ", second[0] == 0 ? "" : second + (is_under(second) ? strlen(options.under) : 0));
  }
  bool is_at = point_count == options.at;
  if (is_at && options.action == kill_before) end_program();
  if (is_at && options.action == interrupt) kill(program, SIGINT);
  if (is_at && options.action == run_command && system(options.command) == -1) err(3, "%s", options.command);
  bool may_fail = options.error != ENOSPC || call->takes_space;
  if ((is_at && options.action == fail_once) || (point_count >= options.at && options.action == fail_on && may_fail)) {
    thread->fails = true;
    thread->failure = -options.error;
    set_registers(id, true, -1, 0, false, 0);
    return;
  }
  if (options.lose != NULL) thread->is_tracked = track(call, arguments, thread->path, second);
  thread->flushes = number == SYS_fsync || number == SYS_fdatasync;
  thread->flushes_all = number == SYS_syncfs;
  if (is_at && options.action == kill_within) {
    thread->kills = true;
    // The system copies whole words: where a write is cut off, no element is.
    unsigned long long half = arguments[call->count < 0 ? 0 : call->count] / 2;
    if (call->count >= 0) set_registers(id, false, call->count, half > 8 ? half / 8 * 8 : half, false, 0);
  }
}

static void leave_call(pid_t id, bool is_error) {
  struct thread *thread = thread_of(id);
  if (thread->fails) set_registers(id, false, -1, 0, true, thread->failure);
  if (thread->is_tracked && is_error) forget_last_change();
  if (thread->flushes && !is_error) after_fsync(thread->path);
  if (thread->flushes_all && !is_error) after_syncfs();
  if (thread->kills) end_program();
  thread->fails = thread->is_tracked = thread->flushes = thread->flushes_all = false;
}

// MARK: The program

static void start(void) {
  program = fork();
  if (program < 0) err(3, "fork");
  if (program == 0) {
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) err(3, "ptrace");
    raise(SIGSTOP);
    execv(options.program[0], options.program);
    err(3, "%s", options.program[0]);
  }
  int status;
  if (waitpid(program, &status, 0) != program || !WIFSTOPPED(status)) errx(3, "the program did not start");
  long settings = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                  PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
  if (ptrace(PTRACE_SETOPTIONS, program, 0, settings) != 0) err(3, "ptrace");
  ptrace(PTRACE_SYSCALL, program, 0, 0);
}

static void write_usage(const struct rusage *usage) {
  FILE *file = fopen(options.usage, "we");
  if (file == NULL) err(3, "%s", options.usage);
  long seconds = usage->ru_utime.tv_sec + usage->ru_stime.tv_sec;
  long microseconds = usage->ru_utime.tv_usec + usage->ru_stime.tv_usec;
  fprintf(file, "%ld %ld\n", seconds * 1000 + microseconds / 1000, usage->ru_maxrss);
  fclose(file);
}

static int trace(void) {
  for (;;) {
    int status;
    struct rusage usage;
    pid_t id = wait4(-1, &status, __WALL, &usage);
    if (id < 0) err(3, "wait");
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (id != program) continue;
      if (options.usage != NULL) write_usage(&usage);
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    int signal_number = 0;
    if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
      struct __ptrace_syscall_info info;
      if (ptrace(PTRACE_GET_SYSCALL_INFO, id, sizeof info, &info) > 0) {
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY) enter_call(id, (long)info.entry.nr, (const __u64 *)info.entry.args);
        if (info.op == PTRACE_SYSCALL_INFO_EXIT) leave_call(id, info.exit.is_error);
      }
    } else if (status >> 16 == 0 && WSTOPSIG(status) != SIGSTOP) {
      // A signal of the program's own; SIGSTOP is how new threads begin.
      signal_number = WSTOPSIG(status);
    }
    ptrace(PTRACE_SYSCALL, id, 0, signal_number);
  }
}

static int error_number(const char *name) {
  if (strcmp(name, "ENOSPC") == 0) return ENOSPC;
  if (strcmp(name, "EIO") == 0) return EIO;
  if (strcmp(name, "EROFS") == 0) return EROFS;
  if (strcmp(name, "EACCES") == 0) return EACCES;
  if (strcmp(name, "ENOMEM") == 0) return ENOMEM;
  if (strcmp(name, "EMFILE") == 0) return EMFILE;
  if (strcmp(name, "EAGAIN") == 0) return EAGAIN;
  errx(3, "%s: is not an error that is known here", name);
}

static enum calls calls_named(const char *name) {
  if (strcmp(name, "memory") == 0) return asking_for_memory;
  if (strcmp(name, "open") == 0) return opening_files;
  if (strcmp(name, "thread") == 0) return starting_threads;
  errx(3, "%s: is not a kind of call that is known here", name);
}

static void parse(int count, char **arguments) {
  for (int i = 1; i < count; i++) {
    const char *name = arguments[i];
    if (strcmp(name, "--") == 0) {
      options.program = arguments + i + 1;
      break;
    }
    if (strcmp(name, "--kill") == 0) {
      options.action = kill_before;
      continue;
    }
    if (strcmp(name, "--kill-within") == 0) {
      options.action = kill_within;
      continue;
    }
    if (strcmp(name, "--interrupt") == 0) {
      options.action = interrupt;
      continue;
    }
    if (++i == count) errx(3, "%s needs a value", name);
    const char *value = arguments[i];
    if (strcmp(name, "--under") == 0) options.under = value;
    else if (strcmp(name, "--calls") == 0) options.calls = calls_named(value);
    else if (strcmp(name, "--at") == 0) options.at = atol(value);
    else if (strcmp(name, "--usage") == 0) options.usage = value;
    else if (strcmp(name, "--lose") == 0) options.lose = value;
    else if (strcmp(name, "--keep") == 0) keep_in(value);
    else if (strcmp(name, "--fail") == 0) {
      options.action = fail_once;
      options.error = error_number(value);
    } else if (strcmp(name, "--fail-on") == 0) {
      options.action = fail_on;
      options.error = error_number(value);
    } else if (strcmp(name, "--run") == 0) {
      options.action = run_command;
      options.command = value;
    } else if (strcmp(name, "--log") == 0) {
      options.log = fopen(value, "we");
      if (options.log == NULL) err(3, "%s", value);
    } else errx(3, "%s: is not an option", name);
  }
  if ((options.under == NULL) == (options.calls == changing_files) || options.program == NULL ||
      options.program[0] == NULL) {
    errx(
        3,
        "usage: fault-injector --under FOLDER | --calls KIND [--log FILE] [--at N ACTION] -- PROGRAM [ARGUMENT ...]");
  }
}

int main(int count, char **arguments) {
  parse(count, arguments);
  start();
  int code = trace();
  if (options.log != NULL) fclose(options.log);
  return code;
}
