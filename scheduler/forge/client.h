/* scheduler/forge/client.h - asking a Git host, from inside a poll loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_CLIENT_H
#define SCHEDULER_FORGE_CLIENT_H

#include "base/loop.h"
#include "scheduler/forge/forge.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * One Git host, as it is configured: three `forge` programs (protocol.h), each
 * started when something is asked of it and again when it died. Each takes one
 * question after the other: one those that somebody waits for and that take a
 * request or a few (tokens, permissions, a change), one lists, one writes.
 * While a host's limit lasts, all that is asked is FORGE_PAUSED, without asking
 * the host. SIGPIPE must be ignored.
 */
struct forge;

/** All borrowed during the call; NULL strings are "". */
struct forge_options {
    struct loop *loop; /* borrowed; must outlive the forge */
    enum forge_kind kind;
    const char *base_url; /* https://host[/path]: what clone addresses begin
                             with */
    const char *api_url;  /* NULL, "": what the host's kind makes of base_url */
    const char *ca;       /* a file with who may sign its certificate */
    const char *app, *app_key; /* a GitHub App: its id, its key as PEM */
    const char *token;         /* without an App */
    int64_t gap_ms;            /* between writes, where the host asks for it */
    int64_t timeout_ms;        /* of one request; 0: 30 s */
};

enum forge_error {
    FORGE_OK,
    FORGE_REFUSED, /* asking again will not help */
    FORGE_AWAY,    /* again later */
    FORGE_PAUSED,  /* the host's limit: again after `after_ms` */
};

/** All borrowed, for the duration of the callback. */
struct forge_answer {
    enum forge_error error;
    const json_t *body;  /* of FORGE_OK, as protocol.h says; else NULL */
    const char *message; /* for people; "" with FORGE_OK */
    int status;          /* of HTTP; 0: none */
    int64_t after_ms;
};

/** Once, from the loop and never from inside forge_ask(). */
typedef void forge_answer_fn(void *arg, const struct forge_answer *answer);
struct forge_call;

/** ERR_USER: the options are wrong (both an App and a token, no key …). */
MUST_USE int forge_new(const struct forge_options *options,
                       struct forge **out_forge, struct err *err);
/** Calls under way get no answer. NULL is fine. */
void forge_free(struct forge *forge);
OWNER(forge)

enum forge_kind forge_kind_of(const struct forge *forge);
/** What clone addresses begin with. Borrowed. */
const char *forge_base_url(const struct forge *forge);
/** Whether it can be asked at all: with neither App nor token only what needs
 * none can (nothing is written). */
bool forge_can_write(const struct forge *forge);
bool forge_is_app(const struct forge *forge);

/**
 * Ask. `op` is one of FORGE_OP_…; `body` is taken over (json_decref), and has
 * all but "op". A process that dies on it is FORGE_AWAY. `*out_call` (NULL is
 * fine) is valid until `fn`.
 */
void forge_ask(struct forge *forge, const char *op, json_t *body,
               forge_answer_fn *fn, void *arg, struct forge_call **out_call);
/** `fn` does not come; what was asked may be done all the same. NULL is fine.
 */
void forge_call_cancel(struct forge_call *call);

#endif
