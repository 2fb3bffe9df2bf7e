/* worker/gateway/main.c - the program: a way out by the names of hosts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/coprocess.h"
#include "base/coprocess_inside.h"
#include "worker/gateway/harden.h"
#include "worker/gateway/protocol.h"
#include "worker/gateway/server.h"

struct gateway {
    struct inside *inside; /* owned, as the rest */
    struct setup *setup;   /* NULL until its frame came */
    struct server *server;
};

static void set_up(struct gateway *gateway, const struct frame *frame)
{
    struct channel *up = inside_up(gateway->inside);
    struct err err;

    if (setup_parse(frame->data, frame->len, &gateway->setup, &err) < 0 ||
        server_new(inside_loop(gateway->inside), gateway->setup,
                   COPROCESS_LISTENER_FD, up, &gateway->server, &err) < 0 ||
        harden_rest(&err) < 0)
        inside_fail(gateway->inside, &err);
    else
        channel_send(up, GATEWAY_FRAME_READY, 0, "{}", 2);
}

static void settle(struct gateway *gateway)
{
    if (gateway->server)
        server_settle(gateway->server);
    inside_end(gateway->inside);
}

static void hold(struct gateway *gateway, const struct frame *frame)
{
    struct setup_injects next = {0};
    struct err err;

    if (setup_injects_parse(frame->data, frame->len, &next, &err) < 0) {
        inside_fail(gateway->inside, &err);
        return;
    }
    server_hold(gateway->server, &next);
    setup_injects_clear(&gateway->setup->injects);
    gateway->setup->injects = next;
    channel_send(inside_up(gateway->inside), GATEWAY_FRAME_HELD, 0, "{}", 2);
}

static void on_frame(void *arg, const struct frame *frame)
{
    struct gateway *gateway = arg;

    if (frame->type == GATEWAY_FRAME_END)
        settle(gateway);
    else if (frame->type == GATEWAY_FRAME_HOLD && gateway->server)
        hold(gateway, frame);
    else if (frame->type == GATEWAY_FRAME_SETUP && !gateway->setup)
        set_up(gateway, frame);
}

int main(int argc, char **argv)
{
    struct gateway gateway = {0};
    const struct inside_spec spec = {
        .program = "gateway",
        .protocol = "worker/gateway/protocol.h",
        .failed_type = GATEWAY_FRAME_FAILED,
        .confine = harden,
        .on_frame = on_frame,
        .arg = &gateway,
    };
    int status = inside_begin(argc, argv, &spec, &gateway.inside);

    if (status == 0)
        status = inside_run(gateway.inside);
    server_free(gateway.server);
    setup_free(gateway.setup);
    inside_free(gateway.inside);
    return status;
}
