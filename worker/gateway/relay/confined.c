/* worker/gateway/relay/confined.c - give up what a relay does not need. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/relay/confined.h"

#include "base/confine.h"
#include "base/confine_calls.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
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

#define ADDRESS_MAX ((uint64_t)4 << 30) /* each thread reserves much of it */

int confined(uid_t uid, struct err *err)
{
    pid_t parent = getppid();

    if (confine_user(uid, err) < 0 || confine_limit(RLIMIT_CORE, 0, err) < 0 ||
        confine_limit(RLIMIT_FSIZE, 0, err) < 0 ||
        confine_limit(RLIMIT_NOFILE, 1024, err) < 0 ||
        confine_memory(ADDRESS_MAX, err) < 0)
        return -1;
    return confine_process(parent, err);
}

/* One line a family. Nothing is executed, so no process is of any use. */
static const char allowed[] =
    "read readv write writev recvfrom recvmsg recvmmsg sendto sendmsg "
    "sendmmsg recv send close shutdown accept4 connect bind getsockname "
    "getpeername getsockopt setsockopt socketpair pipe2 eventfd2 "
    "epoll_wait epoll_pwait epoll_ctl poll ppoll select pselect6 "
    "fcntl fcntl64 "
    "stat stat64 fstat fstat64 newfstatat statx lseek _llseek access "
    "faccessat faccessat2 readlink readlinkat getdents64 getcwd "
    "brk munmap mremap madvise futex "
    "clone3 set_robust_list set_tid_address "
    "clock_gettime clock_gettime64 clock_getres gettimeofday time "
    "clock_nanosleep clock_nanosleep_time64 nanosleep "
    "getrandom getpid gettid getppid getuid geteuid getgid getegid uname "
    "sysinfo prlimit64 getrlimit ugetrlimit sched_yield sched_getaffinity "
    "rt_sigaction rt_sigprocmask rt_sigreturn sigreturn sigaltstack tgkill "
    "rseq restart_syscall exit exit_group";

#define READ_ONLY ((uint64_t)(O_ACCMODE | O_CREAT | O_TRUNC | __O_TMPFILE))

static const struct confine_call conditional[] = {
    {"socket", 0, UINT32_MAX, AF_INET},
    {"socket", 0, UINT32_MAX, AF_INET6},
    {"open", 1, READ_ONLY, O_RDONLY},
    {"openat", 2, READ_ONLY, O_RDONLY},
    {"clone", 0, CLONE_THREAD, CLONE_THREAD},
    /* No new code. */
    {"mmap", 2, PROT_EXEC, 0},
    {"mmap2", 2, PROT_EXEC, 0},
    {"mprotect", 2, PROT_EXEC, 0},
};

static void list_files(const struct relay_setup *setup, struct strv *out)
{
    static const char *const always[] = {
        "/etc/hosts",
        "/etc/resolv.conf",
        "/etc/nsswitch.conf",
        "/etc/host.conf",
        "/etc/gai.conf",
        "/etc/ssl",
        "/etc/pki/tls",
        "/etc/pki/ca-trust",
        "/etc/ca-certificates",
        "/usr/share/ca-certificates",
        "/usr/local/share/ca-certificates",
    };
    static const char *const named[] = {"SSL_CERT_FILE", "SSL_CERT_DIR"};

    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        strv_add(out, always[i]);
    for (size_t i = 0; i < ARRAY_LEN(named); i++) {
        const char *path = getenv(named[i]);

        if (path && *path == '/')
            strv_add(out, path);
    }
    for (size_t i = 0; i < setup->count; i++)
        if (setup->models[i].ca)
            strv_add(out, setup->models[i].ca);
}

int confined_rest(const struct relay_setup *setup, struct err *err)
{
    CLEANUP(strv) struct strv reads = {0};
    const struct confine_files files = {.reads = &reads};

    list_files(setup, &reads);
    if (confine_files(&files, err) < 0)
        return -1;
    return confine_calls(allowed, conditional, ARRAY_LEN(conditional), err);
}
