/* base/confine.c - what a process gives up, for good. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/confine.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

int confine_user(uid_t uid, struct err *err)
{
    if (!uid || uid == geteuid())
        return 0;
    if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
        setresuid(uid, uid, uid) < 0 || setuid(0) == 0)
        return err_sys(err, ERR_TRANSIENT, "cannot become uid %u",
                       (unsigned)uid);
    return 0;
}

int confine_process(pid_t parent, struct err *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot give rights up");
    /* Becoming another user undid what was set before; it may have died. */
    if (getppid() != parent)
        return err_set(err, ERR_TRANSIENT, "the parent is gone");
    return 0;
}

int confine_limit(int resource, uint64_t most, struct err *err)
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

int confine_memory(uint64_t most_bytes, struct err *err)
{
    return SANITIZED ? 0 : confine_limit(RLIMIT_AS, most_bytes, err);
}

/* ---- files ----------------------------------------------------------------
 */

/* Of newer kernels than the headers may be; numbers of its interface. */
#define REFER     ((uint64_t)1 << 13)
#define TRUNCATE  ((uint64_t)1 << 14)
#define IOCTL_DEV ((uint64_t)1 << 15)

#define READS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITES                                                                 \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |           \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |           \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |               \
     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |             \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define OF_FILES                                                               \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE)

static long landlock_version(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0,
                   LANDLOCK_CREATE_RULESET_VERSION);
}

bool confine_has_files(void)
{
    return landlock_version() >= 1;
}

/* Without REFER, renaming between directories is refused anyway. */
static uint64_t writes_of(long version)
{
    return (uint64_t)WRITES | (version >= 2 ? REFER : 0) |
           (version >= 3 ? TRUNCATE : 0);
}

static int allow(int ruleset, const char *path, uint64_t rights,
                 struct err *err)
{
    CLEANUP(fd) int fd = open(path, O_PATH | O_CLOEXEC);
    struct landlock_path_beneath_attr rule = {.parent_fd = fd};
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot open '%s'", path);
    rule.allowed_access = S_ISDIR(st.st_mode) ? rights : rights & OF_FILES;
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
                &rule, 0) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot confine to '%s'", path);
    return 0;
}

static int allow_all(int ruleset, const struct confine_files *files,
                     uint64_t writes, struct err *err)
{
    for (size_t i = 0; files->writes && i < files->writes->count; i++)
        if (allow(ruleset, files->writes->items[i], writes, err) < 0)
            return -1;
    for (size_t i = 0; files->reads && i < files->reads->count; i++)
        if (access(files->reads->items[i], R_OK) == 0 &&
            allow(ruleset, files->reads->items[i], READS, err) < 0)
            return -1;
    return 0;
}

int confine_files(const struct confine_files *files, struct err *err)
{
    long version = landlock_version();
    uint64_t writes = writes_of(version);
    struct landlock_ruleset_attr attr = {
        .handled_access_fs = writes | LANDLOCK_ACCESS_FS_EXECUTE};
    CLEANUP(fd) int ruleset = -1;

    if (version < 1)
        return 0;
    if (files->reads)
        attr.handled_access_fs |= READS | (version >= 5 ? IOCTL_DEV : 0);
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    if (ruleset < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot confine us to files");
    if (allow_all(ruleset, files, writes, err) < 0)
        return -1;
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot confine us to files");
    return 0;
}
