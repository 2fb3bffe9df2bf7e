/* worker/sandbox/place.c - a sandbox's directory on the host, and its lock. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/place.h"

#include "base/fd.h"
#include "base/proc.h"
#include "worker/sandbox/cgroup.h"
#include "worker/sandbox/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_MAX ((size_t)64 << 10)
#define REMOVE_MS  5000
#define TAKE_TRIES 5
#define ENGINE_MS  30000

bool place_is_id(const char *id)
{
    size_t len = strlen(id);

    return len >= 1 && len <= 96 && id[0] != '-' &&
           strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

char *place_name(const char *id)
{
    uint32_t number = 0;

    if (getrandom(&number, sizeof(number), 0) != sizeof(number))
        number = 0;
    return xasprintf("%s-%08x", id, number);
}

/* Lock what `dir` names now, or nothing: it may be removed meanwhile. */
static int lock_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat ours, named;

    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &ours) == 0 &&
        lstat(dir, &named) == 0 && ours.st_ino == named.st_ino &&
        ours.st_dev == named.st_dev)
        return fd;
    fd_close(&fd);
    return -1;
}

int place_take(const char *state_dir, const char *id, char **out_dir,
               int *out_lock, struct err *err)
{
    CLEANUP(mem) char *dir = xasprintf("%s/%s", state_dir, id);

    if (dir_make(state_dir, 0711, err) < 0)
        return -1;
    for (int i = 0; i < TAKE_TRIES; i++) {
        bool made = mkdir(dir, 0711) == 0;
        CLEANUP(fd) int lock = -1;

        if (!made && errno != EEXIST)
            return err_sys(err, ERR_TRANSIENT, "cannot create '%s'", dir);
        lock = lock_dir(dir);
        if (lock >= 0 && made) {
            *out_dir = STEAL(dir);
            *out_lock = lock;
            lock = -1;
            return 0;
        }
        if (lock < 0 && !made)
            return err_set(err, ERR_TRANSIENT,
                           "sandbox '%s' belongs to another process", id);
        if (lock >= 0 && place_clear(dir, err) < 0)
            return -1;
    }
    return err_set(err, ERR_TRANSIENT, "cannot take '%s'", dir);
}

/* What a dead process made in a Docker Engine. */
static int remove_containers(const char *dir, struct err *err)
{
    CLEANUP(mem) char *record = xasprintf("%s/" PLACE_DOCKER, dir);
    CLEANUP(mem) char *client = proc_libexec("docker-client");
    CLEANUP(mem) char *state_dir = xstrdup(dir);
    CLEANUP(strbuf) struct strbuf socket = STRBUF_MAX(RECORD_MAX);
    char *slash = strrchr(state_dir, '/');
    const char *argv[] = {client, "remove", NULL, state_dir, slash + 1, NULL};
    struct err ignored;

    *slash = '\0';
    if (file_read(record, RECORD_MAX - 1, &socket, &ignored) < 0)
        return 0;
    argv[2] = socket.data;
    if (proc_run(argv, ENGINE_MS, NULL, err) < 0)
        return err_wrap(err, "the container of '%s' is left", dir);
    return 0;
}

int place_clear(const char *dir, struct err *err)
{
    CLEANUP(mem) char *cgroups = xasprintf("%s/cgroups", dir);
    CLEANUP(mem) char *disk = xasprintf("%s/run/disk", dir);
    CLEANUP(mem) char *run = xasprintf("%s/run", dir);
    CLEANUP(strbuf) struct strbuf record = STRBUF_MAX(RECORD_MAX);
    struct err ignored;

    if (remove_containers(dir, err) < 0)
        return -1;
    if (file_read(cgroups, RECORD_MAX - 1, &record, &ignored) == 0 &&
        cgroup_remove_recorded(record.data, REMOVE_MS, err) < 0)
        return -1;
    disk_drop(disk);
    /* With all that is mounted below it: the kernel waits some milliseconds
     * for each call. */
    while (umount2(run, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        ;
    return tree_remove(dir, err);
}

int place_sweep(const char *state_dir, unsigned *out_swept, struct err *err)
{
    DIR *list = opendir(state_dir);
    struct dirent *entry;
    unsigned swept = 0;
    int rc = 0;

    if (!list && errno == ENOENT) {
        *out_swept = 0;
        return 0;
    }
    if (!list)
        return err_sys(err, ERR_TRANSIENT, "cannot list '%s'", state_dir);
    while ((entry = readdir(list))) {
        CLEANUP(mem) char *dir = xasprintf("%s/%s", state_dir, entry->d_name);
        CLEANUP(fd) int lock = -1;

        if (!place_is_id(entry->d_name))
            continue;
        lock = lock_dir(dir);
        if (lock < 0)
            continue;
        /* One that resists must not keep the others. */
        if (place_clear(dir, err) < 0)
            rc = -1;
        else
            swept++;
    }
    (void)closedir(list);
    *out_swept = swept;
    return rc;
}
