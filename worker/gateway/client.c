/* worker/gateway/client.c - run a gateway from inside a poll loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/client.h"

#include "base/clock.h"
#include "base/coprocess.h"
#include "worker/gateway/protocol.h"

#include <stdbool.h>
#include <stdlib.h>

struct gateway {
    struct gateway_spec spec;    /* listener and setup are not used any more */
    struct coprocess *coprocess; /* owned */
    bool is_ready, is_settling;
    unsigned holds; /* that were not answered yet */
    struct loop_source *patience;
};

static void on_over(void *arg, const struct err *err)
{
    struct gateway *gateway = arg;
    struct err ended;

    if (gateway->is_settling) {
        (void)err_set(&ended, ERR_CANCELLED, "the sandbox's gateway was ended");
        err = &ended;
    }
    if (gateway->is_ready)
        gateway->spec.on_lost(gateway->spec.arg, err);
    else
        gateway->spec.on_ready(gateway->spec.arg, err);
}

static void tell(struct gateway *gateway, const struct frame *frame)
{
    json_t *doc = json_loadb((const char *)frame->data, frame->len, 0, NULL);
    struct gateway_event event = {0};
    json_int_t up = 0, down = 0, ms = 0;
    int port = 0;

    if (json_unpack(doc, "{s:s, s:i, s:s, s:I, s:I, s:I, s:s, s:s}", "host",
                    &event.host, "port", &port, "address", &event.address, "up",
                    &up, "down", &down, "ms", &ms, "verdict", &event.verdict,
                    "message", &event.message) == 0) {
        event.port = (unsigned)port;
        event.up_bytes = (uint64_t)up;
        event.down_bytes = (uint64_t)down;
        event.ms = ms;
        gateway->spec.on_event(gateway->spec.arg, &event);
    }
    json_decref(doc);
}

static void held(struct gateway *gateway)
{
    if (!gateway->holds || --gateway->holds)
        return;
    loop_remove(gateway->patience);
    gateway->patience = NULL;
    if (gateway->spec.on_held)
        gateway->spec.on_held(gateway->spec.arg);
}

static void on_frame(void *arg, const struct frame *frame)
{
    struct gateway *gateway = arg;

    switch (frame->type) {
    case GATEWAY_FRAME_READY:
        gateway->is_ready = true;
        gateway->spec.on_ready(gateway->spec.arg, NULL);
        break;
    case GATEWAY_FRAME_CONNECTION:
        tell(gateway, frame);
        break;
    case GATEWAY_FRAME_HELD:
        held(gateway);
        break;
    default:
        break;
    }
}

int gateway_start(const struct gateway_spec *spec, struct gateway **out_gateway,
                  struct err *err)
{
    struct gateway *gateway = xcalloc(1, sizeof(*gateway));
    const struct coprocess_spec coprocess = {
        .loop = spec->loop,
        .program = "gateway",
        .name = "the sandbox's gateway to the network",
        .listener = spec->listener,
        .uid = spec->uid,
        .setup_type = GATEWAY_FRAME_SETUP,
        .setup = spec->setup,
        .failed_type = GATEWAY_FRAME_FAILED,
        .on_frame = on_frame,
        .on_over = on_over,
        .arg = gateway,
    };

    gateway->spec = *spec;
    if (coprocess_start(&coprocess, &gateway->coprocess, err) < 0) {
        free(gateway);
        return -1;
    }
    *out_gateway = gateway;
    return 0;
}

/* It may still have them: it has to go. */
static void on_impatient(void *arg)
{
    struct gateway *gateway = arg;

    gateway->patience = NULL;
    coprocess_kill(gateway->coprocess);
}

void gateway_hold(struct gateway *gateway, const json_t *fields)
{
    json_t *doc = json_pack("{s:O}", "inject", fields);
    int64_t limit_ms =
        gateway->spec.hold_ms ? gateway->spec.hold_ms : GATEWAY_HOLD_MS;

    gateway->holds++;
    coprocess_send(gateway->coprocess, GATEWAY_FRAME_HOLD, doc);
    json_decref(doc);
    loop_remove(gateway->patience);
    gateway->patience = loop_add_timer(
        gateway->spec.loop, clock_mono_ms() + limit_ms, on_impatient, gateway);
}

void gateway_settle(struct gateway *gateway)
{
    json_t *nothing = json_object();

    gateway->is_settling = true;
    coprocess_send(gateway->coprocess, GATEWAY_FRAME_END, nothing);
    json_decref(nothing);
}

void gateway_stop(struct gateway *gateway)
{
    if (!gateway)
        return;
    loop_remove(gateway->patience);
    coprocess_stop(gateway->coprocess);
    free(gateway);
}
