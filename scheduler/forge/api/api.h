/* scheduler/forge/api/api.h - one Git host's API, asked step by step. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_API_API_H
#define SCHEDULER_FORGE_API_API_H

#include "base/err.h"
#include "base/strbuf.h"
#include "scheduler/forge/forge.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Everything here blocks (http_run): it runs in the program `forge` only.
 * Headers, authentication, limits, the pause between writes, pages and bounds
 * of answers are dealt with here, once for all hosts.
 */
struct api;

#define API_MAX_ANSWER ((size_t)16 << 20) /* bytes of one answer */
#define API_MAX_PAGES  50                 /* of one list, 100 each */

/** What became of a request that was not answered as wished. */
enum api_error {
    API_OK,
    API_REFUSED, /* 4xx: as the answer says; asking again will not help */
    API_AWAY,    /* no answer, or 5xx: it may have been done all the same */
    API_PAUSED,  /* a limit: it was not done */
};

struct api_failure {
    enum api_error kind;
    int status;       /* 0: there was no answer */
    int64_t after_ms; /* of API_PAUSED */
};

/** Strings are borrowed during the call. */
struct api_request {
    const char *method;
    const char *path; /* below the API's address: "/repos/o/r/…?per_page=1" */
    const char *accept; /* NULL: the host's JSON */
    const json_t *body; /* NULL: none */
    bool is_write;      /* makes or changes something that people see: one at a
                           time, and with a pause before it */
    bool as_app;        /* signed by the App itself, not by its installation */
};

struct api_answer {
    int status;
    json_t *json;       /* owned; NULL: it is none, or `accept` was another */
    struct strbuf text; /* the body as it came */
    struct strv headers;
};
void api_answer_clear(struct api_answer *answer);
UNUSED static inline void api_answer_freep(struct api_answer *answer)
{
    api_answer_clear(answer);
}

/**
 * Whose token goes with what follows: `repo` is owner/name, `installation` a
 * GitHub App's or 0. With an App a token is made for this repository alone,
 * with no more than what `write` needs, and kept until shortly before it
 * expires.
 */
void api_for_repo(struct api *api, const char *repo, int64_t installation,
                  bool write);

/**
 * Send one request. 0 and any 2xx answer, the caller's (api_answer_clear). -1
 * and `err` for people, which names method, path and what the host said, never
 * a token; ERR_TRANSIENT for API_AWAY and API_PAUSED, else ERR_USER. More is in
 * api_failed().
 */
MUST_USE int api_send(struct api *api, const struct api_request *request,
                      struct api_answer *out, struct err *err);

/** GET, a JSON array or object: `*out` is the caller's (json_decref). */
MUST_USE int api_get(struct api *api, const char *path, json_t **out,
                     struct err *err);
/**
 * All pages of a list (Link: rel=next), as one array; the caller's. The largest
 * pages are asked for unless `path` says how large. `*out_all`
 * (NULL is fine): there were no more than API_MAX_PAGES.
 */
MUST_USE int api_list(struct api *api, const char *path, json_t **out,
                      bool *out_all, struct err *err);
/**
 * GitHub's GraphQL: `data` of the answer; the caller's. `variables` is borrowed
 * (NULL is fine). A query that begins with "mutation" is a write.
 */
MUST_USE int api_graphql(struct api *api, const char *query, json_t *variables,
                         json_t **out_data, struct err *err);

/** Of the last call that returned -1. */
struct api_failure api_failed(const struct api *api);
enum forge_kind api_kind(const struct api *api);
/** Whether we are an App: only they write checks. */
bool api_is_app(const struct api *api);
/** Our own token, NULL for an App; borrowed, and a secret. */
const char *api_own_token(const struct api *api);
/**
 * Who we are, so that comments are known as ours: the login of the token's
 * user, or the App's "slug[bot]". Asked once. Borrowed.
 */
MUST_USE int api_self(struct api *api, const char **out_login, struct err *err);
/**
 * Another process may have written to the host until now: the next write of
 * this one keeps the gap to that, too.
 */
void api_after_others(struct api *api);
/** Requests that were sent so far. */
unsigned api_requests(const struct api *api);
/** A name with what a part of a path cannot have encoded, "/" too; the
 * caller's. */
MUST_USE char *api_encode(const char *text);

/** From SETUP of protocol.h. ERR_USER: it is wrong. */
MUST_USE int api_new(const json_t *setup, struct api **out_api,
                     struct err *err);
/** Wipes what is secret. NULL is fine. */
void api_free(struct api *api);
OWNER(api)

#endif
