/* worker/gateway/relay/main.c - the program: a sandbox's way to a model. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "worker/gateway/relay/confined.h"
#include "worker/gateway/relay/desk.h"
#include "worker/gateway/relay/protocol.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH_MS 1000

struct relay {
    struct loop *loop; /* owned, as the rest */
    struct channel *up;
    struct relay_setup *setup; /* NULL until its frame came */
    struct desk *desk;
    bool failed;
};

static void fail(struct relay *relay, const struct err *err)
{
    struct err ignored;

    relay->failed = true;
    channel_send(relay->up, RELAY_FRAME_FAILED, 0, err->msg, strlen(err->msg));
    (void)!channel_flush(relay->up, FLUSH_MS, &ignored);
    loop_stop(relay->loop);
}

/* The frame has keys in it: nothing else needs it any more. */
static void set_up(struct relay *relay, const struct frame *frame)
{
    struct err err;
    int rc = relay_setup_parse(frame->data, frame->len, &relay->setup, &err);

    mem_wipe((void *)(uintptr_t)frame->data, frame->len);
    if (rc == 0)
        rc = desk_new(relay->loop, relay->setup, RELAY_LISTENER_FD, relay->up,
                      &relay->desk, &err);
    if (rc == 0)
        rc = confined_rest(relay->setup, &err);
    if (rc < 0)
        fail(relay, &err);
    else
        channel_send(relay->up, RELAY_FRAME_READY, 0, "{}", 2);
}

static void on_frame(void *arg, const struct frame *frame)
{
    struct relay *relay = arg;
    struct err err;

    if (frame->type == RELAY_FRAME_SETUP && !relay->setup)
        set_up(relay, frame);
    else if (frame->type == RELAY_FRAME_BEGIN && relay->desk &&
             desk_begin(relay->desk, frame->data, frame->len, &err) < 0)
        fail(relay, &err);
    else if (frame->type == RELAY_FRAME_END && relay->desk)
        desk_end(relay->desk);
}

static void on_closed(void *arg, const struct err *err UNUSED)
{
    struct relay *relay = arg;

    loop_stop(relay->loop);
}

static int run(struct relay *relay, struct err *err)
{
    struct channel_spec spec = {
        .in_fd = RELAY_CLIENT_FD,
        .out_fd = RELAY_CLIENT_FD,
        .on_frame = on_frame,
        .on_closed = on_closed,
        .arg = relay,
    };

    if (loop_new(&relay->loop, err) < 0 ||
        channel_new(relay->loop, &spec, &relay->up, err) < 0)
        return -1;
    return loop_run(relay->loop, err);
}

int main(int argc, char **argv)
{
    struct relay relay = {0};
    struct err err = {0};
    char *end = NULL;
    unsigned long uid = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
    int rc;

    log_init("relay", LOG_WARN);
    if (!end || *end || end == argv[1] || uid > UINT32_MAX) {
        (void)fputs("usage: relay UID, with descriptors 3 and 4 as "
                    "worker/gateway/relay/protocol.h has them\n",
                    stderr);
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a log may be a file */
    (void)fcntl(RELAY_CLIENT_FD, F_SETFD, FD_CLOEXEC);
    (void)fcntl(RELAY_LISTENER_FD, F_SETFD, FD_CLOEXEC);
    rc = confined((uid_t)uid, &err);
    if (rc == 0)
        rc = run(&relay, &err);
    if (rc < 0)
        log_error("%s", err.msg);
    desk_free(relay.desk);
    relay_setup_free(relay.setup);
    channel_free(relay.up);
    loop_free(relay.loop);
    return rc < 0 || relay.failed;
}
