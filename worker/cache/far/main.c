/* worker/cache/far/main.c - cache-store: the cache in a bucket. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/proc.h"
#include "worker/cache/far/far.h"
#include "worker/cache/far/program.h"

#include <linux/ioprio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int far_open(struct far *far, char **argv, struct err *err)
{
    cache_settings_read(&far->settings);
    far->cache = cache_open_ours(&far->settings, err);
    if (!far->cache)
        return err->kind == ERR_NONE
                   ? err_set(err, ERR_USER, "this host has no cache")
                   : -1;
    far->store = argv[0];
    if (pack_key_read(argv[1], &far->key, err) < 0)
        return -1;
    return s3_open(far->store, &far->s3, err);
}

static void far_close(struct far *far)
{
    s3_free(far->s3);
    cache_free(far->cache);
    pack_key_clear(&far->key);
}

static int get(struct far *far, char **argv, struct err *err)
{
    struct far_wish wish = {.kind = argv[0], .names = argv + 1};
    json_t *notes = json_array();
    json_t *answer;
    bool found = false;
    int rc;

    while (wish.names[wish.name_count] &&
           strcmp(wish.names[wish.name_count], "--") != 0)
        wish.name_count++;
    if (wish.names[wish.name_count])
        wish.prefixes = wish.names + wish.name_count + 1;
    while (wish.prefixes && wish.prefixes[wish.prefix_count])
        wish.prefix_count++;
    rc = far_get(far, &wish, notes, &found, err);
    answer = json_pack("{s:b, s:o}", "found", found, "notes", notes);
    if (rc == 0) {
        (void)json_dumpf(answer, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
        (void)putchar('\n');
    }
    json_decref(answer);
    return rc;
}

/* Nobody waits for it. */
static int push(struct far *far, char **argv UNUSED, struct err *err)
{
    struct far_count count = {0, 0};
    int rc;

    (void)setpriority(PRIO_PROCESS, 0, 19);
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
                  IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
    rc = far_push(far, &count, err);
    if (rc == 0 && (count.pushed || count.removed))
        (void)printf("put %u into the store, removed %u that were too old\n",
                     count.pushed, count.removed);
    return rc;
}

static const struct {
    const char *name;
    int least, most; /* of arguments */
    int (*fn)(struct far *far, char **argv, struct err *err);
} requests[] = {
    {"get", 6, 1000, get},
    {"push", 4, 4, push},
};

int main(int argc, char **argv)
{
    struct far far = {0};
    struct err err = {0};
    int rc = 1;

    log_init(CACHE_PROGRAM, LOG_WARN);
    proc_hide();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (size_t i = 0; i < ARRAY_LEN(requests) && rc > 0; i++) {
        if (argc < requests[i].least || argc > requests[i].most ||
            strcmp(argv[1], requests[i].name) != 0)
            continue;
        rc = far_open(&far, argv + 2, &err);
        if (rc == 0)
            rc = requests[i].fn(&far, argv + 4, &err);
    }
    far_close(&far);
    if (rc > 0) {
        (void)fputs("usage: berth worker starts it "
                    "(worker/cache/far/program.h)\n",
                    stderr);
        return 2;
    }
    if (rc < 0)
        (void)printf("%s\n", err.msg);
    return fflush(stdout) || rc < 0 ? 1 : 0;
}
