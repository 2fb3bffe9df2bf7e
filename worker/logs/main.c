/* worker/logs/main.c - log-store: what a log store does slowly. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "worker/logs/store.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* worker/logs/archiver.c and cli/worker.c start it, and read what it prints. */
static const char usage[] =
    "usage: log-store put STORE FILE JOB EPOCH\n"
    "       log-store expire STORE MAX-AGE-MS MAX-BYTES\n";

static int put(struct log_store *store, char **argv, struct err *err)
{
    return log_store_put(store, argv[0], argv[1], strtoull(argv[2], NULL, 10),
                         err);
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

int main(int argc, char **argv)
{
    CLEANUP(log_store) struct log_store *store = NULL;
    bool puts = argc == 6 && !strcmp(argv[1], "put");
    struct err err = {0};
    int rc;

    if (!puts && (argc != 5 || strcmp(argv[1], "expire") != 0)) {
        (void)fputs(usage, stderr);
        return 2;
    }
    (void)signal(SIGXFSZ, SIG_IGN);
    rc = log_store_open(argv[2], &store, &err);
    if (rc == 0)
        rc = puts ? put(store, argv + 3, &err) : expire(store, argv + 3, &err);
    if (rc < 0)
        (void)printf("%s\n", err.msg);
    return rc < 0;
}
