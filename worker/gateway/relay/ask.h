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
    ASK_CROWDED, /* there is no room for what came: see has_room() */
};

struct ask_end {
    enum ask_outcome outcome;
    int status;       /* of ASK_REFUSED; else 0 */
    const char *body; /* the same */
    size_t len;
    const char *message;         /* of ASK_BROKEN and ASK_FAILED */
    const struct answer *answer; /* NULL: none had begun */
};

struct ask_spec {
    struct loop *loop; /* these borrowed, and outlive it */
    struct http *http;
    const struct relay_setup *setup;
    struct relay_model *model;
    enum route route;
    const json_t *request; /* borrowed during the call of ask_start() */
    const char *version;   /* of the client's anthropic-version; copied */
    uint64_t most_output;  /* dialect_most_output() of the request */
    /** Whether so many bytes more may be kept. */
    bool (*has_room)(void *arg, size_t len);
    /** Bytes of the answer; `type` is not NULL with the first of them. */
    void (*on_data)(void *arg, const char *type, const void *data, size_t len);
    /**
     * A try was of no use, but took what is `wasted` of ask_model(); `next` is
     * to be asked now. False: it is not, and the ask is freed.
     */
    bool (*on_again)(void *arg, const struct token_count *wasted,
                     struct relay_model *next);
    /** Once, from the loop; ask_free() is fine in it. */
    void (*on_end)(void *arg, const struct ask_end *end);
    void *arg;
};

MUST_USE struct ask *ask_start(const struct ask_spec *spec);
/**
 * What the try that is under way, or was the last, takes: nothing unless it was
 * sent, and not refused. `left`: nobody waits for its end, which comes all the
 * same; so what is not seen counts, too, by the time or, of an answer in one
 * piece, as all that it could be.
 */
struct token_count ask_tokens(const struct ask *ask, bool left);
/** Who is asked, or was. */
struct relay_model *ask_model(const struct ask *ask);
/** Bytes that are kept for it. */
size_t ask_bytes(const struct ask *ask);
/** No callback comes any more. NULL is fine. */
void ask_free(struct ask *ask);
OWNER(ask)

#endif
