/* worker/gateway/relay/ask.h - a request to a provider, answered. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_RELAY_ASK_H
#define WORKER_GATEWAY_RELAY_ASK_H

#include "base/http.h"
#include "worker/gateway/relay/answer.h"
#include "worker/gateway/relay/dialect.h"

/*
 *   send ─▶ bytes of a stream ─▶ passed on ─▶ DONE, or BROKEN
 *     ▲ └─▶ 429, 5xx, silence, no connection, nothing at all
 *     └─ wait ◀─┘ three times, then the fallback ─▶ FAILED
 */
struct ask;

enum ask_outcome {
    ASK_DONE,    /* all of an answer was passed on, with content or without */
    ASK_REFUSED, /* the request is at fault: `status` and `body` say so */
    ASK_BROKEN,  /* it ended in the middle, what there was being passed on */
    ASK_FAILED,  /* nothing was passed on, and trying again is of no use; or in
                    the middle it became what must not go on */
};

struct ask_end {
    enum ask_outcome outcome;
    int status;       /* of ASK_REFUSED; else 0 */
    const char *body; /* the same */
    size_t len;
    const char *message;             /* of the last two */
    const struct answer *answer;     /* NULL: none had begun */
    const struct relay_model *model; /* who answered */
};

struct ask_spec {
    struct loop *loop; /* these borrowed, and outlive it */
    struct http *http;
    const struct relay_setup *setup;
    const struct relay_model *model;
    enum route route;
    const json_t *request; /* a reference is taken */
    const char *version;   /* of the client's anthropic-version; copied */
    /** Bytes of the answer; `type` is not NULL with the first of them. */
    void (*on_data)(void *arg, const char *type, const void *data, size_t len);
    /** Once, from the loop; ask_free() is fine in it. */
    void (*on_end)(void *arg, const struct ask_end *end);
    void *arg;
};

MUST_USE struct ask *ask_start(const struct ask_spec *spec);
/** What the provider has to do for it so far. Borrowed; NULL: nothing. */
const struct answer *ask_answer(const struct ask *ask);
const struct relay_model *ask_model(const struct ask *ask);
/** Bytes of the request that was sent last; 0: none was. */
size_t ask_sent(const struct ask *ask);
/** No callback comes any more. NULL is fine. */
void ask_free(struct ask *ask);
OWNER(ask)

#endif
