/* worker/gateway/relay/client.c - run a relay from inside a poll loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/relay/client.h"

#include "base/coprocess.h"
#include "worker/gateway/relay/protocol.h"

#include <stdlib.h>

struct relay {
    struct relay_spec spec;      /* listener and setup are not used any more */
    struct coprocess *coprocess; /* owned */
    bool is_ready;
};

void model_usage_add(struct model_usage *sum, const struct model_usage *more)
{
    sum->requests += more->requests;
    sum->input_tokens += more->input_tokens;
    sum->output_tokens += more->output_tokens;
    sum->cached_tokens += more->cached_tokens;
    sum->micro_usd += more->micro_usd;
    sum->estimated = sum->estimated || more->estimated;
}

static void on_over(void *arg, const struct err *err)
{
    struct relay *relay = arg;

    if (relay->is_ready)
        relay->spec.on_lost(relay->spec.arg, err);
    else
        relay->spec.on_ready(relay->spec.arg, err);
}

static void tell_usage(struct relay *relay, const json_t *doc, bool is_end)
{
    struct model_usage usage = {0};
    const struct {
        const char *name;
        uint64_t *value;
    } fields[] = {
        {"requests", &usage.requests},
        {"input_tokens", &usage.input_tokens},
        {"output_tokens", &usage.output_tokens},
        {"cached_tokens", &usage.cached_tokens},
        {"micro_usd", &usage.micro_usd},
    };

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        *fields[i].value =
            (uint64_t)json_integer_value(json_object_get(doc, fields[i].name));
    usage.estimated = json_is_true(json_object_get(doc, "estimated"));
    (is_end ? relay->spec.on_ended : relay->spec.on_usage)(
        relay->spec.arg, &usage, json_object_get(doc, "models"));
}

static void tell_over(struct relay *relay, const json_t *doc)
{
    const char *message = json_string_value(json_object_get(doc, "message"));
    int reason = reason_find(json_string_value(json_object_get(doc, "reason")));

    relay->spec.on_over(relay->spec.arg,
                        reason == REASON_BUDGET_EXCEEDED
                            ? REASON_BUDGET_EXCEEDED
                            : REASON_MODEL_FAILED,
                        message ? message : "");
}

static void tell(struct relay *relay, const struct frame *frame)
{
    json_t *doc = json_loadb((const char *)frame->data, frame->len, 0, NULL);

    if (frame->type == RELAY_FRAME_OVER)
        tell_over(relay, doc);
    else
        tell_usage(relay, doc, frame->type == RELAY_FRAME_ENDED);
    json_decref(doc);
}

static void on_frame(void *arg, const struct frame *frame)
{
    struct relay *relay = arg;

    switch (frame->type) {
    case RELAY_FRAME_READY:
        relay->is_ready = true;
        relay->spec.on_ready(relay->spec.arg, NULL);
        break;
    case RELAY_FRAME_BEGUN:
        relay->spec.on_begun(relay->spec.arg);
        break;
    case RELAY_FRAME_USAGE:
    case RELAY_FRAME_OVER:
    case RELAY_FRAME_ENDED:
        tell(relay, frame);
        break;
    default:
        break;
    }
}

int relay_start(const struct relay_spec *spec, struct relay **out_relay,
                struct err *err)
{
    struct relay *relay = xcalloc(1, sizeof(*relay));
    const struct coprocess_spec coprocess = {
        .loop = spec->loop,
        .program = "relay",
        .name = "the relay to models",
        .listener = spec->listener,
        .uid = spec->uid,
        .setup_type = RELAY_FRAME_SETUP,
        .setup = spec->setup,
        .failed_type = RELAY_FRAME_FAILED,
        .on_frame = on_frame,
        .on_over = on_over,
        .arg = relay,
    };

    relay->spec = *spec;
    if (coprocess_start(&coprocess, &relay->coprocess, err) < 0) {
        free(relay);
        return -1;
    }
    *out_relay = relay;
    return 0;
}

void relay_begin(struct relay *relay, const json_t *step)
{
    coprocess_send(relay->coprocess, RELAY_FRAME_BEGIN, step);
}

void relay_end(struct relay *relay)
{
    json_t *nothing = json_object();

    coprocess_send(relay->coprocess, RELAY_FRAME_END, nothing);
    json_decref(nothing);
}

void relay_stop(struct relay *relay)
{
    if (!relay)
        return;
    coprocess_stop(relay->coprocess);
    free(relay);
}
