/* base/confine_network.c - what is left to who only moves bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/confine_network.h"

#include "base/confine.h"
#include "base/confine_calls.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Who may not be traced cannot be looked through for leaks at its end. */
#if defined(__SANITIZE_ADDRESS__)
const char *
__asan_default_options(void); /* NOLINT(bugprone-reserved-identifier) */
const char *
__asan_default_options(void) /* NOLINT(bugprone-reserved-identifier) */
{
    return "detect_leaks=0";
}
#endif

int confine_network(uid_t uid, uint64_t most_bytes, bool threads,
                    struct err *err)
{
    pid_t parent = getppid();

    if (confine_user(uid, err) < 0 || confine_limit(RLIMIT_CORE, 0, err) < 0 ||
        confine_limit(RLIMIT_FSIZE, 0, err) < 0 ||
        (!threads && confine_limit(RLIMIT_NPROC, 0, err) < 0) ||
        confine_limit(RLIMIT_NOFILE, 1024, err) < 0 ||
        confine_memory(most_bytes, err) < 0)
        return -1;
    return confine_process(parent, err);
}

/* One line a family. Names are looked up by UDP and TCP, and in /etc/hosts;
 * certificates are looked for when a connection begins. */
#define CALLS                                                                  \
    "read readv write writev recvfrom recvmsg recvmmsg sendto sendmsg "        \
    "sendmmsg recv send close shutdown accept4 connect bind getsockname "      \
    "getpeername getsockopt setsockopt "                                       \
    "epoll_wait epoll_pwait epoll_ctl poll ppoll fcntl fcntl64 "               \
    "stat stat64 fstat fstat64 newfstatat statx lseek _llseek access "         \
    "faccessat faccessat2 readlink readlinkat getdents64 getcwd "              \
    "brk munmap mremap madvise futex "                                         \
    "clock_gettime clock_gettime64 clock_getres gettimeofday time "            \
    "clock_nanosleep clock_nanosleep_time64 nanosleep "                        \
    "getrandom getpid gettid getppid getuid geteuid getgid getegid uname "     \
    "sysinfo prlimit64 getrlimit ugetrlimit sched_yield sched_getaffinity "    \
    "rt_sigaction rt_sigprocmask rt_sigreturn sigreturn sigaltstack tgkill "   \
    "rseq restart_syscall exit exit_group"

/* What they begin with, and wake one another by. Nothing is executed, so no
 * process is of any use. */
#define THREAD_CALLS                                                           \
    " clone3 set_robust_list set_tid_address socketpair pipe2 eventfd2 "       \
    "select pselect6"

#define READ_ONLY ((uint64_t)(O_ACCMODE | O_CREAT | O_TRUNC | __O_TMPFILE))

static const struct confine_call conditional[] = {
    {"socket", 0, UINT32_MAX, AF_INET},
    {"socket", 0, UINT32_MAX, AF_INET6},
    {"open", 1, READ_ONLY, O_RDONLY},
    {"openat", 2, READ_ONLY, O_RDONLY},
    /* No new code. */
    {"mmap", 2, PROT_EXEC, 0},
    {"mmap2", 2, PROT_EXEC, 0},
    {"mprotect", 2, PROT_EXEC, 0},
    /* The last one: for threads. */
    {"clone", 0, CLONE_THREAD, CLONE_THREAD},
};

int confine_network_rest(const struct strv *reads, bool threads,
                         struct err *err)
{
    static const char *const always[] = {
        "/etc/hosts",
        "/etc/resolv.conf",
        "/etc/nsswitch.conf",
        "/etc/host.conf",
        "/usr/share/ca-certificates",
        "/usr/local/share/ca-certificates",
    };
    CLEANUP(strv) struct strv all = {0};
    const struct confine_files files = {.reads = &all};

    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        strv_add(&all, always[i]);
    for (size_t i = 0; i < reads->count; i++)
        strv_add(&all, reads->items[i]);
    if (confine_files(&files, err) < 0)
        return -1;
    return confine_calls(threads ? CALLS THREAD_CALLS : CALLS, conditional,
                         ARRAY_LEN(conditional) - !threads, err);
}
