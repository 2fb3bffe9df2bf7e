/* worker/logs/program.c - what the programs of log stores are asked. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/logs/program.h"

#include "base/clock.h"
#include "base/fd.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "usage: put STORE FILE JOB EPOCH\n"
                            "       get STORE JOB EPOCH\n"
                            "       expire STORE MAX-AGE-MS MAX-BYTES\n";

static int put(struct log_store *store, char **argv, struct err *err)
{
    return log_store_put(store, argv[0], argv[1], strtoull(argv[2], NULL, 10),
                         err);
}

static int get(struct log_store *store, char **argv, struct err *err)
{
    CLEANUP(fd) int fd = -1;

    if (log_store_get(store, argv[0], strtoull(argv[1], NULL, 10), &fd, err) <
        0)
        return -1;
    return fd_copy(fd, LOG_PROGRAM_FD, err);
}

static int expire(struct log_store *store, char **argv, struct err *err)
{
    const struct log_retention retention = {
        .max_age_ms = strtoll(argv[0], NULL, 10),
        .max_bytes = strtoull(argv[1], NULL, 10)};
    struct log_removed removed = {0, 0};
    int rc =
        log_store_expire(store, &retention, clock_wall_ms(), &removed, err);

    if (removed.logs)
        (void)printf("removed %" PRIu64 " of them\n", removed.logs);
    return rc;
}

static const struct {
    const char *name;
    int argc;
    int (*fn)(struct log_store *store, char **argv, struct err *err);
} requests[] = {
    {"put", 6, put},
    {"get", 5, get},
    {"expire", 5, expire},
};

int log_program(int argc, char **argv, const struct log_store_driver *driver)
{
    CLEANUP(log_store) struct log_store *store = NULL;
    struct err err = {0};
    int rc = 1;

    for (size_t i = 0; i < ARRAY_LEN(requests) && rc > 0; i++) {
        if (argc != requests[i].argc || strcmp(argv[1], requests[i].name) != 0)
            continue;
        (void)signal(SIGXFSZ, SIG_IGN);
        rc = log_store_open_by(driver, argv[2], &store, &err);
        if (rc == 0)
            rc = requests[i].fn(store, argv + 3, &err);
    }
    if (rc > 0) {
        (void)fputs(usage, stderr);
        return 2;
    }
    if (rc == 0)
        return 0;
    (void)printf("%s\n", err.msg);
    return err.kind == ERR_USER ? LOG_PROGRAM_NONE : 1;
}
