/* worker/gateway/relay/dialect.h - how requests to models look. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_RELAY_DIALECT_H
#define WORKER_GATEWAY_RELAY_DIALECT_H

#include "base/strbuf.h"
#include "worker/gateway/relay/setup.h"

enum route {
    ROUTE_NONE,
    ROUTE_MODELS,    /* GET /v1/models */
    ROUTE_CHAT,      /* POST /v1/chat/completions */
    ROUTE_RESPONSES, /* POST /v1/responses */
    ROUTE_MESSAGES,  /* POST /v1/messages */
};

/** What a request to a model of `dialect` is for; ROUTE_NONE: nothing here. */
enum route dialect_route(enum dialect dialect, const char *method,
                         const char *path);

/**
 * Parse the body of a request: an object with a string `model`, which keeps to
 * wish.h. What cannot be a part of a text (lone surrogates) is replaced.
 * ERR_USER. The caller's.
 */
MUST_USE json_t *dialect_parse(const char *data, size_t len, struct err *err);
/** Whether the answer is to come as a stream of events. */
bool dialect_wants_stream(const json_t *request);
/**
 * How many tokens the answer has at most: what the request says, up to what
 * `model` can write, where that is known; else a guess.
 */
uint64_t dialect_most_output(const json_t *request,
                             const struct relay_model *model);
/**
 * What the provider gets: the same, with the id of `model` in place of one that
 * only `first`, which was asked, knows; and of chat completions as a stream
 * with the word that tokens are to be told. The caller's (free).
 */
MUST_USE char *dialect_write(const json_t *request, enum route route,
                             const struct relay_model *first,
                             const struct relay_model *model);
/** The address to send it to. The caller's (free). */
MUST_USE char *dialect_url(enum route route, const struct relay_model *model);
/** "Name: value" of the request, the key among them; wiped by the caller. */
void dialect_headers(const struct relay_model *model, const char *version,
                     struct strv *out);

/** An error as clients of the dialect read it. The caller's (free). */
MUST_USE char *dialect_error(enum dialect dialect, const char *code,
                             const char *message);
/** The models that a step may ask for. The caller's (free). */
MUST_USE char *dialect_models(const struct relay_model *model);
/**
 * What a provider says is wrong, in one line without `key`; "" when it does not
 * say. `out` is bounded.
 */
void dialect_complaint(const char *body, size_t len, const char *key,
                       struct strbuf *out);

#endif
