/* worker/checkout/confine.c - give up what the work does not need. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/confine.h"

#include "base/confine.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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

static int set_limits(struct err *err)
{
    if (confine_limit(RLIMIT_FSIZE, FILE_MAX_BYTES, err) < 0 ||
        confine_limit(RLIMIT_NOFILE, 1024, err) < 0 ||
        confine_limit(RLIMIT_CORE, 0, err) < 0)
        return -1;
    return confine_memory(ADDRESS_MAX, err);
}

/*
 * Our second wall behind the checks of names: whatever a hostile tree or pack
 * makes of libgit2, files appear in the mirror and the tree only, and nothing
 * is executed.
 */
static int confine_writes(const struct request *request, struct err *err)
{
    CLEANUP(strv) struct strv writes = {0};
    const struct confine_files files = {.writes = &writes};

    strv_add(&writes, request->mirror);
    if (!request->show)
        strv_add(&writes, request->tree);
    return confine_files(&files, err);
}

int confine(const struct request *request, struct err *err)
{
    pid_t parent = getppid();

    if (make_mirror_dir(request, err) < 0 ||
        confine_user(request->uid, err) < 0 || confine_process(parent, err) < 0)
        return -1;
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
