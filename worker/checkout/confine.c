/* worker/checkout/confine.c - give up what the work does not need. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/confine.h"

#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(SANITIZED)
#define SANITIZED 1
#endif

static int make_mirror_dir(const struct request *request, struct err *err)
{
    CLEANUP(mem) char *parent = xstrdup(request->mirror);
    char *slash = strrchr(parent, '/');
    uid_t owner = request->uid ? request->uid : geteuid();
    struct stat st;

    *slash = '\0';
    if (*parent && dir_make(parent, 0711, err) < 0)
        return -1;
    /* The owner alone: outside, nobody reads it beside root. */
    if (mkdir(request->mirror, 0700) == 0) {
        if (request->uid &&
            chown(request->mirror, request->uid, request->uid) < 0)
            return err_sys(err, ERR_TRANSIENT, "cannot give '%s' to uid %u",
                           request->mirror, (unsigned)request->uid);
    } else if (errno != EEXIST) {
        return err_sys(err, ERR_TRANSIENT, "cannot create mirror '%s'",
                       request->mirror);
    }
    if (lstat(request->mirror, &st) < 0 || !S_ISDIR(st.st_mode))
        return err_set(err, ERR_TRANSIENT, "mirror '%s' is not a directory",
                       request->mirror);
    /* Killed between mkdir and chown: it is still empty, so nobody's. */
    if (st.st_uid == 0 && owner != 0 && geteuid() == 0 && st.st_nlink == 2 &&
        chown(request->mirror, owner, owner) == 0)
        return 0;
    if (st.st_uid != owner)
        return err_set(err, ERR_TRANSIENT,
                       "mirror '%s' belongs to uid %u, not to %u: remove it",
                       request->mirror, (unsigned)st.st_uid, (unsigned)owner);
    return 0;
}

static int drop(uid_t uid, struct err *err)
{
    if (!uid)
        return 0;
    if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
        setresuid(uid, uid, uid) < 0 || setuid(0) == 0)
        return err_sys(err, ERR_TRANSIENT, "cannot become uid %u",
                       (unsigned)uid);
    return 0;
}

static int limit(int resource, uint64_t value, struct err *err)
{
    struct rlimit limits;

    if (getrlimit((__rlimit_resource_t)resource, &limits) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot read a limit");
    if (limits.rlim_max > value)
        limits.rlim_max = value;
    limits.rlim_cur = limits.rlim_max;
    if (setrlimit((__rlimit_resource_t)resource, &limits) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot set a limit");
    return 0;
}

static int set_limits(struct err *err)
{
    if (limit(RLIMIT_FSIZE, FILE_MAX_BYTES, err) < 0 ||
        limit(RLIMIT_NOFILE, 1024, err) < 0 || limit(RLIMIT_CORE, 0, err) < 0)
        return -1;
#ifndef SANITIZED
    /* The sanitizer reserves terabytes of addresses. */
    if (limit(RLIMIT_AS, ADDRESS_MAX, err) < 0)
        return -1;
#endif
    return 0;
}

static int allow(int ruleset, const char *path, uint64_t access_mask,
                 struct err *err)
{
    CLEANUP(fd) int fd = open(path, O_PATH | O_CLOEXEC);
    struct landlock_path_beneath_attr rule = {.allowed_access = access_mask,
                                              .parent_fd = fd};

    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot open '%s'", path);
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
                &rule, 0) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot confine to '%s'", path);
    return 0;
}

#define WRITES                                                                 \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |           \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |           \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |               \
     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |             \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

/*
 * Our second wall behind the checks of names: whatever a hostile tree or pack
 * makes of libgit2, files appear in the mirror and the tree only, and nothing
 * is executed. A kernel without Landlock has the first wall alone.
 */
static int confine_writes(const struct request *request, struct err *err)
{
    uint64_t handled = WRITES | LANDLOCK_ACCESS_FS_EXECUTE;
    uint64_t allowed = WRITES;
    struct landlock_ruleset_attr attr = {0};
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
                       LANDLOCK_CREATE_RULESET_VERSION);
    CLEANUP(fd) int ruleset = -1;

    if (abi < 1)
        return 0;
#ifdef LANDLOCK_ACCESS_FS_REFER
    if (abi >= 2) /* else renaming between directories is refused anyway */
        handled |= LANDLOCK_ACCESS_FS_REFER,
            allowed |= LANDLOCK_ACCESS_FS_REFER;
#endif
    attr.handled_access_fs = handled;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    if (ruleset < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot confine checkout");
    if (allow(ruleset, request->mirror, allowed, err) < 0 ||
        (!request->show && allow(ruleset, request->tree, allowed, err) < 0))
        return -1;
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot confine checkout");
    return 0;
}

int confine(const struct request *request, struct err *err)
{
    pid_t parent = getppid();

    if (make_mirror_dir(request, err) < 0 || drop(request->uid, err) < 0)
        return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot confine checkout");
    /* Becoming `uid` undid what launch had set; it may have died since. */
    if (getppid() != parent)
        return err_set(err, ERR_TRANSIENT, "the client is gone");
    if (chmod(request->mirror, 0700) < 0) /* of an older version */
        return err_sys(err, ERR_TRANSIENT, "cannot close '%s'",
                       request->mirror);
    (void)umask(022);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* EFBIG tells more */
    if (set_limits(err) < 0)
        return -1;
    return confine_writes(request, err);
}

static int check_empty(int fd, const char *name, struct err *err)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;
    bool empty = true;

    if (!dir) {
        fd_close(&copy);
        return err_sys(err, ERR_TRANSIENT, "cannot list '%s'", name);
    }
    while ((entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0 &&
            strcmp(entry->d_name, "lost+found") != 0)
            empty = false;
    (void)closedir(dir);
    if (!empty)
        return err_set(err, ERR_USER, "'%s' is not empty", name);
    return 0;
}

int confine_enter_tree(const struct request *request, struct err *err)
{
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    CLEANUP(fd)
    int fd =
        open(request->tree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot open the tree '%s'",
                       request->tree);
    if (*request->subdir) {
        int sub =
            (int)syscall(SYS_openat2, fd, request->subdir, &how, sizeof(how));

        fd_close(&fd);
        fd = sub;
        if (fd < 0)
            return err_sys(err, ERR_USER, "cannot enter submodule '%s'",
                           request->subdir);
    }
    if (check_empty(fd, *request->subdir ? request->subdir : request->tree,
                    err) < 0)
        return -1;
    if (fchdir(fd) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot enter '%s'", request->tree);
    return 0;
}
