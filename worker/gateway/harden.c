/* worker/gateway/harden.c - give up what a gateway does not need. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/harden.h"

#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(SANITIZED)
#define SANITIZED true
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

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

static int drop(uid_t uid, struct err *err)
{
    if (!uid || uid == geteuid())
        return 0;
    if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
        setresuid(uid, uid, uid) < 0 || setuid(0) == 0)
        return err_sys(err, ERR_TRANSIENT, "cannot become uid %u",
                       (unsigned)uid);
    return 0;
}

static int limit(int resource, uint64_t most, struct err *err)
{
    struct rlimit now;

    if (getrlimit((__rlimit_resource_t)resource, &now) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot read a limit");
    if (now.rlim_max > most)
        now.rlim_max = most;
    now.rlim_cur = now.rlim_max;
    if (setrlimit((__rlimit_resource_t)resource, &now) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot set a limit");
    return 0;
}

int harden(uid_t uid, struct err *err)
{
    if (drop(uid, err) < 0 || limit(RLIMIT_CORE, 0, err) < 0 ||
        limit(RLIMIT_FSIZE, 0, err) < 0 || limit(RLIMIT_NPROC, 0, err) < 0 ||
        limit(RLIMIT_NOFILE, 1024, err) < 0)
        return -1;
    /* The sanitizer reserves terabytes of addresses. */
    if (!SANITIZED && limit(RLIMIT_AS, ADDRESS_MAX, err) < 0)
        return -1;
    /* Behind the change of users, which undoes the first two. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot shut the gateway in");
    return 0;
}
