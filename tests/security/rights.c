/* tests/security/rights.c - to become more than one is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/security/attack.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static long become_root(void)
{
    return setuid(0);
}
static long become_group(void)
{
    return setgid(0);
}

/* The plain call, which no profile of ours pretends to do. */
static long become_other(void)
{
    return syscall(SYS_setreuid, -1, 0);
}

static long take_groups(void)
{
    gid_t group = 0;

    return setgroups(1, &group);
}

static long take_capability(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};

    if (syscall(SYS_capget, &header, data) < 0)
        return -1;
    return data[0].effective & (1U << CAP_SYS_ADMIN) ? 0 : held(EPERM);
}

static long ambient(void)
{
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0);
}

static long bounding(void)
{
    long rc = prctl(PR_CAPBSET_READ, CAP_NET_ADMIN, 0, 0, 0);

    return rc == 1 ? 0 : held(EPERM);
}

static long secure_bits(void)
{
    return prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_NOROOT, 0, 0, 0);
}

/* 1 where set: execve can give nothing. */
static long privileges(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[128];
    int set = -1;

    while (file && fgets(line, sizeof(line), file))
        (void)sscanf(line, "NoNewPrivs: %d", &set);
    if (file)
        (void)fclose(file);
    return set == 0 ? 0 : held(EPERM);
}

static long priority(void)
{
    return setpriority(PRIO_PROCESS, 0, -10);
}

static long realtime(void)
{
    struct sched_param param = {.sched_priority = 1};
    long rc = sched_setscheduler(0, SCHED_RR, &param);

    param.sched_priority = 0;
    if (rc == 0)
        (void)sched_setscheduler(0, SCHED_OTHER, &param);
    return rc;
}

static long io_realtime(void)
{
    return syscall(SYS_ioprio_set, 1, 0, 1 << 13 /* RT */);
}

static long more_files(void)
{
    struct rlimit limit;

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_max++;
    return setrlimit(RLIMIT_NOFILE, &limit);
}

static long dump_core(void)
{
    struct rlimit limit = {1 << 20, 1 << 20};

    return setrlimit(RLIMIT_CORE, &limit);
}

static long domain_name(void)
{
    return setdomainname("attack", 6);
}
static long rename_host(void)
{
    return sethostname("attack", 6);
}

const struct attack attacks_rights[] = {
    {"setuid", "root", become_root},
    {"setgid", "root", become_group},
    {"setreuid", "root", become_other},
    {"setgroups", "root", take_groups},
    {"capability", "root", take_capability},
    {"ambient-capability", "- a sign of the agent's", ambient},
    {"bounding-set", "root", bounding},
    {"securebits", "root", secure_bits},
    {"no-new-privileges", "no-new-privileges", privileges},
    {"priority", "root userns", priority},
    {"realtime", "- groups have a share of it, too", realtime},
    {"io-realtime", "root userns", io_realtime},
    {"rlimit-files", "root userns", more_files},
    {"rlimit-core", "rlimits", dump_core},
    {"sethostname", "root", rename_host},
    {"setdomainname", "root", domain_name},
    {NULL, NULL, NULL}};
