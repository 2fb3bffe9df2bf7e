/* base/coprocess_inside.c - a coprocess, seen from inside. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/coprocess_inside.h"

#include "base/coprocess.h"
#include "base/log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH_MS      1000
#define STATUS_FAILED 1
#define STATUS_WRONG  2

struct inside {
    struct inside_spec spec;
    struct loop *loop; /* owned, as the next */
    struct channel *up;
    bool failed;
};

static void on_frame(void *arg, const struct frame *frame)
{
    struct inside *inside = arg;

    inside->spec.on_frame(inside->spec.arg, frame);
}

static void on_closed(void *arg, const struct err *err UNUSED)
{
    loop_stop(((struct inside *)arg)->loop);
}

static int begin(struct inside *inside, uid_t uid, struct err *err)
{
    const struct channel_spec channel = {
        .in_fd = COPROCESS_FD,
        .out_fd = COPROCESS_FD,
        .on_frame = on_frame,
        .on_closed = on_closed,
        .arg = inside,
    };

    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a log may be a file */
    (void)fcntl(COPROCESS_FD, F_SETFD, FD_CLOEXEC);
    (void)fcntl(COPROCESS_LISTENER_FD, F_SETFD, FD_CLOEXEC);
    if (inside->spec.confine(uid, err) < 0 || loop_new(&inside->loop, err) < 0)
        return -1;
    return channel_new(inside->loop, &channel, &inside->up, err);
}

int inside_begin(int argc, char **argv, const struct inside_spec *spec,
                 struct inside **out_inside)
{
    CLEANUP(inside) struct inside *inside = xcalloc(1, sizeof(*inside));
    char *end = NULL;
    unsigned long uid = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
    struct err err;

    log_init(spec->program, LOG_WARN);
    if (!end || *end || end == argv[1] || uid > UINT32_MAX) {
        (void)fprintf(stderr,
                      "usage: %s UID, with descriptors 3 and 4 as %s "
                      "has them\n",
                      spec->program, spec->protocol);
        return STATUS_WRONG;
    }
    inside->spec = *spec;
    if (begin(inside, (uid_t)uid, &err) < 0) {
        log_error("%s", err.msg);
        return STATUS_FAILED;
    }
    *out_inside = STEAL(inside);
    return 0;
}

struct loop *inside_loop(const struct inside *inside)
{
    return inside->loop;
}

struct channel *inside_up(const struct inside *inside)
{
    return inside->up;
}

void inside_end(struct inside *inside)
{
    struct err ignored;

    (void)!channel_flush(inside->up, FLUSH_MS, &ignored);
    loop_stop(inside->loop);
}

void inside_fail(struct inside *inside, const struct err *err)
{
    inside->failed = true;
    channel_send(inside->up, inside->spec.failed_type, 0, err->msg,
                 strlen(err->msg));
    inside_end(inside);
}

int inside_run(struct inside *inside)
{
    struct err err;

    if (loop_run(inside->loop, &err) == 0)
        return inside->failed ? STATUS_FAILED : 0;
    log_error("%s", err.msg);
    return STATUS_FAILED;
}

void inside_free(struct inside *inside)
{
    if (!inside)
        return;
    channel_free(inside->up);
    loop_free(inside->loop);
    free(inside);
}
