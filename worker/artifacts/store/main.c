/* worker/artifacts/store/main.c - artifact-store: artifacts in a bucket. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "worker/artifacts/program.h"
#include "worker/artifacts/store/store.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int put(struct s3 *s3, char **argv, struct err *err)
{
    return store_put(s3, argv[0], strtoull(argv[1], NULL, 10), err);
}

static int resend(struct s3 *s3, char **argv UNUSED, struct err *err)
{
    return store_resend(s3, err);
}

static int expire(struct s3 *s3, char **argv UNUSED, struct err *err)
{
    unsigned removed = 0;
    int rc = store_expire(s3, clock_wall_ms(), &removed, err);

    (void)printf("%u\n", removed);
    return rc;
}

static int list(struct s3 *s3, char **argv, struct err *err)
{
    struct index_name name = {.epoch = 0};
    json_t *files = NULL;
    const json_t *line;
    size_t i;

    if (store_files(s3, argv[0], &name, &files, err) < 0)
        return -1;
    (void)printf("%" PRIu64 "\n", name.epoch);
    json_array_foreach(files, i, line)
    {
        (void)json_dumpf(line, stdout, JSON_COMPACT);
        (void)putchar('\n');
    }
    json_decref(files);
    return fflush(stdout) ? err_sys(err, ERR_TRANSIENT, "cannot write") : 0;
}

static int get(struct s3 *s3, char **argv, struct err *err)
{
    return store_get(s3, argv[0], argv[1], ARTIFACT_PROGRAM_FD, err);
}

static int save(struct s3 *s3, char **argv, struct err *err)
{
    return store_save(s3, argv[0], argv[1], err);
}

static const struct {
    const char *name;
    int argc;
    int (*fn)(struct s3 *s3, char **argv, struct err *err);
} requests[] = {
    {"put", 5, put},   {"resend", 3, resend}, {"expire", 3, expire},
    {"list", 4, list}, {"get", 5, get},       {"save", 5, save},
};

int main(int argc, char **argv)
{
    CLEANUP(s3) struct s3 *s3 = NULL;
    struct err err = {0};
    int rc = 1;

    log_init(ARTIFACT_PROGRAM, LOG_WARN);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < ARRAY_LEN(requests) && rc > 0; i++) {
        if (argc != requests[i].argc || strcmp(argv[1], requests[i].name) != 0)
            continue;
        rc = s3_open(argv[2], &s3, &err);
        if (rc == 0)
            rc = requests[i].fn(s3, argv + 3, &err);
    }
    if (rc > 0) {
        (void)fputs("usage: berth starts it (worker/artifacts/program.h)\n",
                    stderr);
        return 2;
    }
    if (rc == 0)
        return 0;
    (void)printf("%s\n", err.msg);
    return err.kind == ERR_USER ? ARTIFACT_PROGRAM_NONE : 1;
}
