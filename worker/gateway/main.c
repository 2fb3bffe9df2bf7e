/* worker/gateway/main.c - the program: a way out by the names of hosts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "worker/gateway/harden.h"
#include "worker/gateway/protocol.h"
#include "worker/gateway/server.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH_MS 1000

struct gateway {
    struct loop *loop; /* owned, as the rest */
    struct channel *up;
    struct setup *setup; /* NULL until its frame came */
    struct server *server;
    bool failed;
};

static void fail(struct gateway *gateway, const struct err *err)
{
    struct err ignored;

    gateway->failed = true;
    channel_send(gateway->up, GATEWAY_FRAME_FAILED, 0, err->msg,
                 strlen(err->msg));
    (void)!channel_flush(gateway->up, FLUSH_MS, &ignored);
    loop_stop(gateway->loop);
}

static void settle(struct gateway *gateway)
{
    struct err ignored;

    if (gateway->server)
        server_settle(gateway->server);
    (void)!channel_flush(gateway->up, FLUSH_MS, &ignored);
    loop_stop(gateway->loop);
}

static void hold(struct gateway *gateway, const struct frame *frame)
{
    struct setup_injects next = {0};
    struct err err;

    if (setup_injects_parse(frame->data, frame->len, &next, &err) < 0) {
        fail(gateway, &err);
        return;
    }
    server_hold(gateway->server, &next);
    setup_injects_clear(&gateway->setup->injects);
    gateway->setup->injects = next;
    channel_send(gateway->up, GATEWAY_FRAME_HELD, 0, "{}", 2);
}

static void on_frame(void *arg, const struct frame *frame)
{
    struct gateway *gateway = arg;
    struct err err;

    if (frame->type == GATEWAY_FRAME_END) {
        settle(gateway);
        return;
    }
    if (frame->type == GATEWAY_FRAME_HOLD && gateway->server) {
        hold(gateway, frame);
        return;
    }
    if (frame->type != GATEWAY_FRAME_SETUP || gateway->setup)
        return;
    if (setup_parse(frame->data, frame->len, &gateway->setup, &err) < 0 ||
        server_new(gateway->loop, gateway->setup, GATEWAY_LISTENER_FD,
                   gateway->up, &gateway->server, &err) < 0 ||
        harden_rest(&err) < 0) {
        fail(gateway, &err);
        return;
    }
    channel_send(gateway->up, GATEWAY_FRAME_READY, 0, "{}", 2);
}

static void on_closed(void *arg, const struct err *err UNUSED)
{
    struct gateway *gateway = arg;

    loop_stop(gateway->loop);
}

static int run(struct gateway *gateway, struct err *err)
{
    struct channel_spec spec = {
        .in_fd = GATEWAY_CLIENT_FD,
        .out_fd = GATEWAY_CLIENT_FD,
        .on_frame = on_frame,
        .on_closed = on_closed,
        .arg = gateway,
    };

    if (loop_new(&gateway->loop, err) < 0 ||
        channel_new(gateway->loop, &spec, &gateway->up, err) < 0)
        return -1;
    return loop_run(gateway->loop, err);
}

int main(int argc, char **argv)
{
    struct gateway gateway = {0};
    struct err err = {0};
    char *end = NULL;
    unsigned long uid = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
    int rc;

    log_init("gateway", LOG_WARN);
    if (!end || *end || end == argv[1] || uid > UINT32_MAX) {
        (void)fputs("usage: gateway UID, with descriptors 3 and 4 as "
                    "worker/gateway/protocol.h has them\n",
                    stderr);
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a log may be a file */
    (void)fcntl(GATEWAY_CLIENT_FD, F_SETFD, FD_CLOEXEC);
    (void)fcntl(GATEWAY_LISTENER_FD, F_SETFD, FD_CLOEXEC);
    rc = harden((uid_t)uid, &err);
    if (rc == 0)
        rc = run(&gateway, &err);
    if (rc < 0)
        log_error("%s", err.msg);
    server_free(gateway.server);
    setup_free(gateway.setup);
    channel_free(gateway.up);
    loop_free(gateway.loop);
    return rc < 0 || gateway.failed;
}
