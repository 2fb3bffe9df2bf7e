/* tests/security/proc.c - /proc, /sys and what else tells of the host. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/security/attack.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <unistd.h>

/* Nothing is written: to have it open for that is enough. */
#define OPENS(name, path)                                                      \
    static long name(void)                                                     \
    {                                                                          \
        return try_open(path, O_WRONLY);                                       \
    }
#define READS(name, path)                                                      \
    static long name(void)                                                     \
    {                                                                          \
        return try_read(path);                                                 \
    }

OPENS(core_pattern, "/proc/sys/kernel/core_pattern")
OPENS(modprobe, "/proc/sys/kernel/modprobe")
OPENS(sysrq, "/proc/sysrq-trigger")
OPENS(panic, "/proc/sys/kernel/panic")
OPENS(binfmt, "/proc/sys/fs/binfmt_misc/register")
OPENS(forward, "/proc/sys/net/ipv4/ip_forward")
OPENS(irq, "/proc/irq/default_smp_affinity")
OPENS(uid_map, "/proc/1/uid_map")
OPENS(quotas, "/proc/sys/user/max_user_namespaces")
OPENS(release_agent, "/sys/fs/cgroup/memory/release_agent")
OPENS(cgroup_leave, "/sys/fs/cgroup/memory/cgroup.procs")
READS(kcore, "/proc/kcore")
READS(interrupts, "/proc/interrupts")
READS(keys, "/proc/keys")
READS(timers, "/proc/timer_list")
READS(kmsg, "/proc/kmsg")
READS(page_types, "/proc/pagetypeinfo")

/* Addresses that are not zero. */
static long symbols(void)
{
    char line[256];
    FILE *file = fopen("/proc/kallsyms", "re");

    if (!file)
        return -1;
    while (fgets(line, sizeof(line), file)) {
        if (strtoull(line, NULL, 16)) {
            (void)fclose(file);
            return 0;
        }
    }
    (void)fclose(file);
    return held(ENODATA);
}

static long oom_score(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    long rc = fd < 0 ? -1 : write(fd, "-999", 4);
    int error = errno;

    if (fd >= 0)
        (void)close(fd);
    return rc < 0 ? held(error) : 0;
}

static long sys_files(void)
{
    DIR *dir = opendir("/sys");
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        if (entry->d_name[0] != '.')
            return closedir(dir);
    }
    if (dir)
        (void)closedir(dir);
    return held(ENOENT);
}

/* The runner's process outside has a word among its arguments. */
static long look_for_process(const char *file)
{
    const char *word = given("ATTACK_TOKEN");
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    long self = getpid();
    char path[300];

    while (proc && (entry = readdir(proc))) {
        if (!isdigit((unsigned char)entry->d_name[0]) ||
            strtol(entry->d_name, NULL, 10) == self)
            continue;
        (void)snprintf(path, sizeof(path), "/proc/%s/%s", entry->d_name, file);
        if (try_find(path, word) == 0)
            return closedir(proc);
    }
    if (proc)
        (void)closedir(proc);
    return held(ESRCH);
}

static long host_processes(void)
{
    return look_for_process("cmdline");
}

/* Its number in the namespace that it is in, and that of the host's. */
static long host_signal(void)
{
    long rc = kill((pid_t)strtol(given("ATTACK_PID"), NULL, 10), SIGURG);

    return rc;
}

static long host_shm(void)
{
    int id = shmget((key_t)strtol(given("ATTACK_SHM_KEY"), NULL, 10), 0, 0);

    return id;
}

static long host_messages(void)
{
    return msgget((key_t)strtol(given("ATTACK_MSG_KEY"), NULL, 10), 0);
}

static long host_name(void)
{
    char name[65] = "";

    (void)gethostname(name, sizeof(name) - 1);
    return strcmp(name, given("ATTACK_HOSTNAME")) == 0 ? 0 : held(ENODATA);
}

const struct attack attacks_proc[] = {
    {"proc-core-pattern", "root userns readonly-paths", core_pattern},
    {"proc-modprobe", "root userns readonly-paths", modprobe},
    {"proc-panic", "root userns readonly-paths", panic},
    {"proc-sysrq", "root userns readonly-paths", sysrq},
    {"proc-binfmt-misc", "- the host's programs", binfmt},
    {"proc-ip-forward", "root readonly-paths", forward},
    {"proc-irq", "root userns readonly-paths", irq},
    {"proc-uid-map", "root", uid_map},
    {"proc-quotas", "root readonly-paths", quotas},
    {"proc-kcore", "root userns masks", kcore},
    {"proc-interrupts", "masks", interrupts},
    {"proc-keys", "- shows a user's own keys", keys},
    {"proc-timers", "root userns masks", timers},
    {"proc-kmsg", "root userns", kmsg},
    {"proc-page-types", "root userns", page_types},
    {"proc-kernel-addresses", "root userns", symbols},
    {"proc-oom-score", "root userns", oom_score},
    {"sys", "sysfs", sys_files},
    {"cgroup-release-agent", "sysfs root userns", release_agent},
    {"cgroup-leave", "sysfs root userns", cgroup_leave},
    {"host-processes", "procfs", host_processes},
    {"host-signal", "pid", host_signal},
    {"host-shared-memory", "ipc", host_shm},
    {"host-messages", "ipc", host_messages},
    {"host-name", "uts", host_name},
    {NULL, NULL, NULL}};
