#include "calls.h"

#include <stddef.h>
#include <sys/syscall.h>

// clang-format off: two tables
static const struct changing_call changing[] = {
  {SYS_openat, "openat", form_at, 0, true, -1},
  {SYS_write, "write", form_fd, 0, true, 2},
  {SYS_pwrite64, "pwrite", form_fd, 0, true, 2},
  {SYS_writev, "writev", form_fd, 0, true, -1},
  {SYS_pwritev, "pwritev", form_fd, 0, true, -1},
  {SYS_pwritev2, "pwritev2", form_fd, 0, true, -1},
  {SYS_sendfile, "sendfile", form_fd, 0, true, 3},
  {SYS_copy_file_range, "copy_file_range", form_fd, 2, true, 4},
  {SYS_splice, "splice", form_fd, 2, true, 4},
  {SYS_ioctl, "ioctl", form_fd, 0, true, -1},
  {SYS_ftruncate, "ftruncate", form_fd, 0, true, -1},
  {SYS_truncate, "truncate", form_path, 0, true, -1},
  {SYS_fallocate, "fallocate", form_fd, 0, true, -1},
  {SYS_fsync, "fsync", form_fd, 0, true, -1},
  {SYS_fdatasync, "fdatasync", form_fd, 0, true, -1},
  {SYS_syncfs, "syncfs", form_fd, 0, true, -1},
  {SYS_renameat, "rename", form_two_at, 0, true, -1},
  {SYS_renameat2, "rename", form_two_at, 0, true, -1},
  {SYS_linkat, "link", form_two_at, 0, true, -1},
  {SYS_symlinkat, "symlink", form_at, 1, true, -1},
  {SYS_mkdirat, "mkdir", form_at, 0, true, -1},
  {SYS_mknodat, "mknod", form_at, 0, true, -1},
  {SYS_unlinkat, "unlink", form_at, 0, false, -1},
  {SYS_fchmod, "fchmod", form_fd, 0, false, -1},
  {SYS_fchmodat, "chmod", form_at, 0, false, -1},
  {SYS_fchown, "fchown", form_fd, 0, false, -1},
  {SYS_fchownat, "chown", form_at, 0, false, -1},
  {SYS_utimensat, "utimens", form_at, 0, false, -1},
  {SYS_setxattr, "setxattr", form_path, 0, true, -1},
  {SYS_lsetxattr, "lsetxattr", form_path, 0, true, -1},
  {SYS_fsetxattr, "fsetxattr", form_fd, 0, true, -1},
  {SYS_removexattr, "removexattr", form_path, 0, false, -1},
  {SYS_fremovexattr, "fremovexattr", form_fd, 0, false, -1},
#ifdef SYS_open  // the calls that newer architectures do without
  {SYS_open, "open", form_path, 0, true, -1},
  {SYS_creat, "creat", form_path, 0, true, -1},
  {SYS_rename, "rename", form_two_paths, 0, true, -1},
  {SYS_link, "link", form_two_paths, 0, true, -1},
  {SYS_symlink, "symlink", form_path, 1, true, -1},
  {SYS_mkdir, "mkdir", form_path, 0, true, -1},
  {SYS_mknod, "mknod", form_path, 0, true, -1},
  {SYS_rmdir, "rmdir", form_path, 0, false, -1},
  {SYS_unlink, "unlink", form_path, 0, false, -1},
  {SYS_chmod, "chmod", form_path, 0, false, -1},
  {SYS_chown, "chown", form_path, 0, false, -1},
  {SYS_lchown, "lchown", form_path, 0, false, -1},
#endif
};

// A call that is in neither list stops the test: it belongs into one of them.
static const long harmless[] = {
  // Advice, which another thread gives: it changes nothing, and its place among the other calls is not the same in
  // every run.
  SYS_sync_file_range,
  SYS_read, SYS_pread64, SYS_readv, SYS_preadv, SYS_lseek, SYS_close, SYS_close_range, SYS_mmap, SYS_mprotect,
  SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk, SYS_mincore, SYS_membarrier, SYS_futex, SYS_clone, SYS_clone3,
  SYS_exit, SYS_exit_group, SYS_execve, SYS_wait4, SYS_waitid, SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigaction,
  SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigtimedwait, SYS_rt_sigsuspend, SYS_rt_sigpending, SYS_sigaltstack,
  SYS_signalfd4, SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_setaffinity, SYS_sched_getparam,
  SYS_sched_setscheduler, SYS_sched_getscheduler, SYS_getpriority, SYS_setpriority, SYS_getpid, SYS_gettid,
  SYS_getppid, SYS_getpgid, SYS_getsid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getgroups, SYS_getcpu,
  SYS_prctl, SYS_set_tid_address, SYS_set_robust_list, SYS_get_robust_list, SYS_rseq, SYS_prlimit64, SYS_getrusage,
  SYS_getrandom, SYS_uname, SYS_sysinfo, SYS_umask, SYS_chdir, SYS_fchdir, SYS_getcwd, SYS_fstat, SYS_newfstatat,
  SYS_statx, SYS_statfs, SYS_fstatfs, SYS_faccessat, SYS_faccessat2, SYS_readlinkat, SYS_getdents64, SYS_fcntl,
  SYS_flock, SYS_fadvise64, SYS_readahead, SYS_getxattr, SYS_lgetxattr, SYS_fgetxattr, SYS_listxattr, SYS_llistxattr,
  SYS_flistxattr, SYS_dup, SYS_dup3, SYS_pipe2, SYS_ppoll, SYS_pselect6, SYS_epoll_create1, SYS_epoll_ctl,
  SYS_epoll_pwait, SYS_eventfd2, SYS_timerfd_create, SYS_timerfd_settime, SYS_timerfd_gettime, SYS_socket,
  SYS_socketpair, SYS_connect, SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep,
  SYS_gettimeofday, SYS_restart_syscall, SYS_getitimer, SYS_setitimer, SYS_memfd_create, SYS_mbind, SYS_get_mempolicy,
  SYS_set_mempolicy,
#ifdef SYS_open
  SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_getdents, SYS_dup2, SYS_pipe, SYS_poll, SYS_select,
  SYS_epoll_create, SYS_epoll_wait, SYS_eventfd, SYS_fork, SYS_vfork, SYS_time, SYS_alarm, SYS_pause, SYS_getpgrp,
#endif
#ifdef SYS_arch_prctl
  SYS_arch_prctl,
#endif
};
// clang-format on

const struct changing_call *find_changing_call(long number) {
  for (size_t i = 0; i < sizeof changing / sizeof *changing; i++) {
    if (changing[i].number == number) return &changing[i];
  }
  return NULL;
}

bool is_known(long number) {
  for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
    if (harmless[i] == number) return true;
  }
  return find_changing_call(number) != NULL;
}
