/* worker/sandbox/cgroup_remove.c - killing what a cgroup holds. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/cgroup.h"

#include "base/clock.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POLL_MS   2
#define DEPTH_MAX 16

static void put(const char *dir, const char *file, const char *value)
{
    CLEANUP(mem) char *path = xasprintf("%s/%s", dir, file);
    CLEANUP(fd) int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0 && write(fd, value, strlen(value)) < 0)
        return;
}

/* Returns whether any process was there. */
static bool kill_members(const char *dir)
{
    CLEANUP(mem) char *path = xasprintf("%s/cgroup.procs", dir);
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX((size_t)1 << 20);
    struct err ignored;
    char *save = NULL;

    if (file_read(path, ((size_t)1 << 20) - 1, &text, &ignored) < 0)
        return false;
    for (char *pid = strtok_r(text.data, "\n", &save); pid;
         pid = strtok_r(NULL, "\n", &save)) {
        long number = strtol(pid, NULL, 10);

        if (number > 1 && number != getpid())
            (void)kill((pid_t)number, SIGKILL);
    }
    return text.len > 0;
}

/* Children first; true when `dir` is gone. */
static bool remove_dir(const char *dir, int depth)
{
    DIR *list = depth < DEPTH_MAX ? opendir(dir) : NULL;
    struct dirent *entry;

    while (list && (entry = readdir(list))) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.') {
            CLEANUP(mem) char *child = xasprintf("%s/%s", dir, entry->d_name);

            (void)remove_dir(child, depth + 1);
        }
    }
    if (list)
        (void)closedir(list);
    if (rmdir(dir) == 0 || errno == ENOENT)
        return true;
    /* No process may be born while the rest is shot: a fork bomb loses. */
    put(dir, "pids.max", "0");
    put(dir, "cgroup.kill", "1");
    /* On v1 the frozen do not die. */
    put(dir, "freezer.state", "THAWED");
    (void)kill_members(dir);
    return false;
}

static bool remove_all(const char *record)
{
    CLEANUP(mem) char *copy = xstrdup(record);
    bool gone = true;
    char *save = NULL;

    for (char *dir = strtok_r(copy, "\n", &save); dir;
         dir = strtok_r(NULL, "\n", &save)) {
        char *slash;

        /* A record is a file: never remove what is no cgroup of ours. */
        if (!strstr(dir, "/berth/") || strstr(dir, "/../"))
            continue;
        if (!remove_dir(dir, 0)) {
            gone = false;
            continue;
        }
        slash = strrchr(dir, '/');
        *slash = '\0';
        (void)rmdir(dir);
    }
    return gone;
}

int cgroup_remove_recorded(const char *list, int64_t timeout_ms,
                           struct err *err)
{
    int64_t until = clock_mono_ms() + timeout_ms;

    while (!remove_all(list)) {
        if (clock_mono_ms() >= until)
            return err_set(err, ERR_TRANSIENT,
                           "a cgroup still has processes: %.300s", list);
        (void)poll(NULL, 0, POLL_MS);
    }
    return 0;
}
