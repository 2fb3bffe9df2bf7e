/* worker/cache/main.c - the program: copy what is kept, or read it again. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/log.h"
#include "worker/cache/check.h"
#include "worker/cache/helper.h"
#include "worker/cache/seal.h"
#include "worker/cache/settings.h"

#include <fcntl.h>
#include <jansson.h>
#include <linux/ioprio.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MODULES "node_modules"

#define WRITES                                                                 \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |           \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |           \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |               \
     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |             \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM |             \
     LANDLOCK_ACCESS_FS_EXECUTE)

/* Nothing is followed and nothing executed; should we be wrong, this is so. */
static int confine(int target, struct err *err)
{
    struct landlock_ruleset_attr attr = {.handled_access_fs = WRITES};
    struct landlock_path_beneath_attr rule = {
        .allowed_access = WRITES & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE,
        .parent_fd = target};
    CLEANUP(fd) int ruleset = -1;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot confine cache");
    (void)umask(022);
    (void)setpriority(PRIO_PROCESS, 0, 10); /* the job comes first */
    if (syscall(SYS_landlock_create_ruleset, NULL, 0,
                LANDLOCK_CREATE_RULESET_VERSION) < 1)
        return 0;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    if (ruleset < 0 ||
        (target >= 0 && syscall(SYS_landlock_add_rule, ruleset,
                                LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0) ||
        syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot confine cache");
    return 0;
}

/* node_modules below `dir`, and nothing else. */
static int pick_modules(void *arg, const char *path, const char *name,
                        mode_t mode)
{
    const char *dir = arg;
    size_t len = strlen(dir);
    size_t path_len = strlen(path);

    if (!S_ISDIR(mode))
        return -1;
    /* On the way to it. */
    if (path_len <= len && strncmp(path, dir, path_len) == 0 &&
        (dir[path_len] == '/' || !dir[path_len]))
        return 2;
    if (len && (strncmp(path, dir, len) != 0 || path[len] != '/'))
        return -1;
    return strcmp(name, MODULES) == 0 ? 1 : 2;
}

/* npm's own cache and logs make no difference. */
static int pick_home(void *arg UNUSED, const char *path,
                     const char *name UNUSED, mode_t mode UNUSED)
{
    return strcmp(path, ".npm") == 0 ? 0 : -1;
}

static int save(char **argv, struct seal *seal, struct err *err)
{
    struct seal home = {.max_bytes = 0};
    uid_t uid = (uid_t)strtoul(argv[0], NULL, 10);

    seal->max_bytes = strtoull(argv[1], NULL, 10);
    if (confine(HELPER_TARGET_FD, err) < 0)
        return -1;
    if (seal_copy(HELPER_HOME_FD, HELPER_TARGET_FD, uid, pick_home, NULL, &home,
                  err) < 0)
        return err_wrap(err, "in the home directory");
    if (seal_copy(HELPER_WORKSPACE_FD, HELPER_TARGET_FD, uid, pick_modules,
                  argv[2], seal, err) < 0)
        return -1;
    if (!seal->files)
        return err_set(err, ERR_USER, "there is no " MODULES);
    return fchown(HELPER_TARGET_FD, uid, uid) < 0
               ? err_sys(err, ERR_TRANSIENT, "cannot give it away")
               : 0;
}

static int verify(char **argv, struct seal *seal, struct err *err)
{
    seal->max_bytes = strtoull(argv[0], NULL, 10);
    if (confine(-1, err) < 0)
        return -1;
    return seal_read(HELPER_WORKSPACE_FD, seal, err);
}

/* What is removed is said, for the log of who started us. */
static int check(char **argv)
{
    const struct check_limits limits = {.every_ms = strtoll(argv[0], NULL, 10),
                                        .bytes = strtoull(argv[1], NULL, 10),
                                        .ms = strtoll(argv[2], NULL, 10)};
    struct cache_settings settings;
    struct check_count count = {0, 0};
    struct err err = {0};
    CLEANUP(cache) struct cache *cache = NULL;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    (void)setpriority(PRIO_PROCESS, 0, 19);
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
                  IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
    cache_settings_read(&settings);
    cache = cache_open_ours(&settings, &err);
    if (!cache && err.kind != ERR_NONE) {
        (void)puts(err.msg);
        return 1;
    }
    if (cache)
        cache_check(cache, &limits, &count);
    if (!count.damaged)
        return 0;
    cache_trim(cache, &settings);
    (void)printf("removed %u of %u that were read: damaged\n", count.damaged,
                 count.read);
    return fflush(stdout) ? 1 : 0;
}

static int answer(json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII);

    json_decref(line);
    (void)puts(text ? text : "{\"error\":\"a path is no UTF-8\"}");
    free(text);
    return fflush(stdout) == 0;
}

int main(int argc, char **argv)
{
    struct seal seal = {0};
    struct err err = {0};
    int rc;

    log_init("cache", LOG_WARN);
    if (argc == 5 && strcmp(argv[1], "check") == 0)
        return check(argv + 2);
    if (argc == 5 && strcmp(argv[1], "save") == 0) {
        rc = save(argv + 2, &seal, &err);
    } else if (argc == 3 && strcmp(argv[1], "verify") == 0) {
        rc = verify(argv + 2, &seal, &err);
    } else {
        (void)fputs("usage: run-job or berth worker starts it "
                    "(worker/cache/helper.h)\n",
                    stderr);
        return 2;
    }
    if (rc < 0) {
        (void)answer(json_pack("{s:s}", "error", err.msg));
        return 1;
    }
    return answer(json_pack("{s:s, s:I, s:I}", "digest", seal.digest, "bytes",
                            (json_int_t)seal.bytes, "files",
                            (json_int_t)seal.files))
               ? 0
               : 1;
}
