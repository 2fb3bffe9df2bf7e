/* worker/gateway/relay/main.c - the program: a sandbox's way to a model. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/coprocess.h"
#include "base/coprocess_inside.h"
#include "worker/gateway/relay/confined.h"
#include "worker/gateway/relay/desk.h"
#include "worker/gateway/relay/protocol.h"

struct relay {
    struct inside *inside;     /* owned, as the rest */
    struct relay_setup *setup; /* NULL until its frame came */
    struct desk *desk;
};

/* The frame has keys in it: nothing else needs it any more. */
static void set_up(struct relay *relay, const struct frame *frame)
{
    struct channel *up = inside_up(relay->inside);
    struct err err;
    int rc = relay_setup_parse(frame->data, frame->len, &relay->setup, &err);

    mem_wipe((void *)(uintptr_t)frame->data, frame->len);
    if (rc == 0)
        rc = desk_new(inside_loop(relay->inside), relay->setup,
                      COPROCESS_LISTENER_FD, up, &relay->desk, &err);
    if (rc == 0)
        rc = confined_rest(relay->setup, &err);
    if (rc < 0)
        inside_fail(relay->inside, &err);
    else
        channel_send(up, RELAY_FRAME_READY, 0, "{}", 2);
}

static void on_frame(void *arg, const struct frame *frame)
{
    struct relay *relay = arg;
    struct err err;

    if (frame->type == RELAY_FRAME_SETUP && !relay->setup)
        set_up(relay, frame);
    else if (frame->type == RELAY_FRAME_BEGIN && relay->desk &&
             desk_begin(relay->desk, frame->data, frame->len, &err) < 0)
        inside_fail(relay->inside, &err);
    else if (frame->type == RELAY_FRAME_END && relay->desk)
        desk_end(relay->desk);
}

int main(int argc, char **argv)
{
    struct relay relay = {0};
    const struct inside_spec spec = {
        .program = "relay",
        .protocol = "worker/gateway/relay/protocol.h",
        .failed_type = RELAY_FRAME_FAILED,
        .confine = confined,
        .on_frame = on_frame,
        .arg = &relay,
    };
    int status = inside_begin(argc, argv, &spec, &relay.inside);

    if (status == 0)
        status = inside_run(relay.inside);
    desk_free(relay.desk);
    relay_setup_free(relay.setup);
    inside_free(relay.inside);
    return status;
}
