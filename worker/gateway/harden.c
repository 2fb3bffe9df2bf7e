/* worker/gateway/harden.c - give up what a gateway does not need. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/harden.h"

#include "base/confine.h"
#include "base/confine_calls.h"

#include <fcntl.h>
#include <openssl/x509.h>
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

#define ADDRESS_MAX ((uint64_t)1 << 30)

int harden(uid_t uid, struct err *err)
{
    pid_t parent = getppid();

    if (confine_user(uid, err) < 0 || confine_limit(RLIMIT_CORE, 0, err) < 0 ||
        confine_limit(RLIMIT_FSIZE, 0, err) < 0 ||
        confine_limit(RLIMIT_NPROC, 0, err) < 0 ||
        confine_limit(RLIMIT_NOFILE, 1024, err) < 0 ||
        confine_memory(ADDRESS_MAX, err) < 0)
        return -1;
    return confine_process(parent, err);
}

/* One line a family. Names are looked up by UDP and TCP, and in /etc/hosts;
 * certificates are looked for when a connection begins. */
static const char allowed[] =
    "read readv write writev recvfrom recvmsg recvmmsg sendto sendmsg "
    "sendmmsg recv send close shutdown accept4 connect bind getsockname "
    "getpeername getsockopt setsockopt "
    "epoll_wait epoll_pwait epoll_ctl poll ppoll fcntl fcntl64 "
    "stat stat64 fstat fstat64 newfstatat statx lseek _llseek access "
    "faccessat faccessat2 readlink readlinkat getdents64 getcwd "
    "brk munmap mremap madvise futex "
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
    /* No new code. */
    {"mmap", 2, PROT_EXEC, 0},
    {"mmap2", 2, PROT_EXEC, 0},
    {"mprotect", 2, PROT_EXEC, 0},
};

/* The library's directory of certificates is one of links into these. */
static void list_files(struct strv *out)
{
    static const char *const always[] = {
        "/etc/hosts",
        "/etc/resolv.conf",
        "/etc/nsswitch.conf",
        "/etc/host.conf",
        "/usr/share/ca-certificates",
        "/usr/local/share/ca-certificates",
    };
    const char *file = getenv(X509_get_default_cert_file_env());
    const char *dir = getenv(X509_get_default_cert_dir_env());

    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        strv_add(out, always[i]);
    strv_add(out, file && *file ? file : X509_get_default_cert_file());
    strv_add(out, dir && *dir ? dir : X509_get_default_cert_dir());
}

int harden_rest(struct err *err)
{
    CLEANUP(strv) struct strv reads = {0};
    const struct confine_files files = {.reads = &reads};

    list_files(&reads);
    if (confine_files(&files, err) < 0)
        return -1;
    return confine_calls(allowed, conditional, ARRAY_LEN(conditional), err);
}
