/* worker/gateway/relay/client.h - run a relay from inside a poll loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_RELAY_CLIENT_H
#define WORKER_GATEWAY_RELAY_CLIENT_H

#include "base/loop.h"
#include "pipelines/reason.h"

#include <jansson.h>

/* One handle is one `relay` process, of one job. Links with jansson alone. */
struct relay;

/** What was asked of a model, and what that cost. */
struct model_usage {
    uint64_t requests; /* to a provider, those that were tried again, too */
    uint64_t input_tokens, output_tokens;
    uint64_t cached_tokens; /* a part of input_tokens */
    uint64_t micro_usd;     /* millionths of a dollar, rounded up */
    bool estimated; /* of some answer the provider did not say its tokens */
};

void model_usage_add(struct model_usage *sum, const struct model_usage *more);

struct relay_spec {
    struct loop *loop;   /* borrowed; outlives the relay */
    int listener;        /* a listening socket, borrowed during the call */
    unsigned uid;        /* to run as; 0: as we do */
    const json_t *setup; /* protocol.h; borrowed during the call */
    /** Once: it listens, or `err` says why not. */
    void (*on_ready)(void *arg, const struct err *err);
    /** The step that relay_begin() named may ask from now on. */
    void (*on_begun)(void *arg);
    /**
     * What the step has used so far; and of the job, borrowed, "models" of
     * RELAY_FRAME_USAGE (protocol.h).
     */
    void (*on_usage)(void *arg, const struct model_usage *usage,
                     const json_t *models);
    /** The step may not ask any more; `message` is for a person. */
    void (*on_over)(void *arg, enum reason reason, const char *message);
    /** relay_end() is done: the same, of all that the step has used. */
    void (*on_ended)(void *arg, const struct model_usage *usage,
                     const json_t *models);
    /** Once, after on_ready without an error: it is dead. */
    void (*on_lost)(void *arg, const struct err *err);
    void *arg;
};

/** Start one. Callbacks come from the loop; relay_stop() is fine in them. */
MUST_USE int relay_start(const struct relay_spec *spec,
                         struct relay **out_relay, struct err *err);
/** A step, as RELAY_FRAME_BEGIN has it, borrowed; none is under way. */
void relay_begin(struct relay *relay, const json_t *step);
/** No request of the step goes on, and none is taken. */
void relay_end(struct relay *relay);
/** Kill it, and reap it. NULL is fine. */
void relay_stop(struct relay *relay);

#endif
