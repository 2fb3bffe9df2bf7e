/* tests/security/agent.c - at the agent, pid 1 of the sandbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/security/attack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Its stdin and stdout are the wire to the host: who writes there can say
 * how commands ended. */
static long wire_out(void)
{
    return try_open("/proc/1/fd/1", O_WRONLY);
}
static long wire_in(void)
{
    return try_open("/proc/1/fd/0", O_RDONLY);
}
static long environment(void)
{
    return try_read("/proc/1/environ");
}
static long memory(void)
{
    return try_open("/proc/1/mem", O_RDWR);
}
static long maps(void)
{
    return try_read("/proc/1/maps");
}
static long root(void)
{
    return try_open("/proc/1/root/", O_RDONLY);
}
static long stack(void)
{
    return try_read("/proc/1/syscall");
}
static long trace(void)
{
    return ptrace(PTRACE_SEIZE, 1, NULL, NULL);
}
static long binary(void)
{
    return try_open("/.berth/agent", O_WRONLY);
}
static long running(void)
{
    return try_open("/proc/1/exe", O_WRONLY);
}

/* It does nothing with that signal. */
static long signal_it(void)
{
    return kill(1, SIGURG);
}

static long signal_by_fd(void)
{
    long fd = syscall(SYS_pidfd_open, 1, 0);

    return fd < 0 ? -1 : syscall(SYS_pidfd_send_signal, fd, SIGURG, NULL, 0);
}

static long steal_fd(void)
{
    long fd = syscall(SYS_pidfd_open, 1, 0);

    return fd < 0 ? -1 : syscall(SYS_pidfd_getfd, fd, 1, 0);
}

static long read_memory(void)
{
    char byte;
    struct iovec to = {&byte, 1}, from = {(void *)0x400000, 1};

    return process_vm_readv(1, &to, 1, &from, 1, 0);
}

static long limit_it(void)
{
    return syscall(SYS_prlimit64, 1, 7 /* NOFILE */, NULL, NULL);
}

static long spare_it(void)
{
    return try_open("/proc/1/oom_score_adj", O_RDWR);
}

const struct attack attacks_agent[] = {
    {"agent-wire-out", "root", wire_out},
    {"agent-wire-in", "root", wire_in},
    {"agent-environ", "root", environment},
    {"agent-mem", "root", memory},
    {"agent-maps", "root", maps},
    {"agent-root", "root", root},
    {"agent-syscall", "root", stack},
    {"agent-ptrace", "root", trace},
    {"agent-vm-read", "root", read_memory},
    {"agent-steal-fd", "root", steal_fd},
    {"agent-signal", "root", signal_it},
    {"agent-signal-pidfd", "root", signal_by_fd},
    {"agent-prlimit", "root", limit_it},
    {"agent-oom-score", "root", spare_it},
    {"agent-overwrite", "- all sandboxes' agent", binary},
    {"agent-overwrite-running", "- all sandboxes' agent", running},
    {NULL, NULL, NULL}};
