/* scheduler/forge/api/api_internal.h - what the modules of `api` share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_API_API_INTERNAL_H
#define SCHEDULER_FORGE_API_API_INTERNAL_H

#include "base/http.h"
#include "scheduler/forge/api/api.h"

/** What a token of an App may do. */
enum grant_use {
    GRANT_READ,  /* changes */
    GRANT_WRITE, /* checks and comments */
    GRANT_CLONE, /* commits; leaves this process */
};

/** A token of a GitHub App for one repository; see api_auth.c. */
struct grant {
    char *repo; /* owned; NULL: the place is free */
    enum grant_use use;
    int64_t installation;  /* 0: not known yet */
    char *token;           /* owned, wiped; NULL: none yet */
    int64_t expires_at_ms; /* wall clock */
    uint64_t used;         /* grows: what was used last */
};

#define GRANTS_MAX 128

struct api {
    enum forge_kind kind;
    struct loop *loop; /* owned, as all below */
    struct http *http;
    char *url, *graphql_url, *base_url;
    char *ca;            /* NULL: the system's */
    char *app, *app_key; /* NULL: no App */
    char *token;         /* NULL: none */
    char *self;          /* NULL: not asked yet */
    int64_t gap_ms, timeout_ms;
    int64_t wrote_at_ms;     /* monotonic; 0: never */
    int64_t paused_until_ms; /* monotonic */
    unsigned refusals;       /* in a row, by limits */
    unsigned requests;
    struct api_failure failed;

    /* whose token goes with what comes */
    char *repo; /* NULL: nobody's */
    int64_t installation;
    bool write;
    struct grant grants[GRANTS_MAX];
    uint64_t uses;
};

/** Note what failed, and say it: returns -1. */
int api_fail(struct api *api, struct api_failure failure, struct err *err,
             const char *fmt, ...) PRINTF_LIKE(4, 5);

/**
 * One exchange, or two where a GET went away: `auth` is a header, or "". As
 * api_send(), but a 401 is no reason here to try another token.
 */
MUST_USE int wire_send(struct api *api, const struct api_request *request,
                       const char *url, const char *auth,
                       struct api_answer *out, struct err *err);

/**
 * The header that says who we are, "" where nobody does; owned by the caller,
 * who wipes it. May ask the host for a token.
 */
MUST_USE int auth_header(struct api *api, bool as_app, char **out_header,
                         struct err *err);
/** After a 401: false, if there is no other token to be had. */
bool auth_forget(struct api *api, bool as_app);
/**
 * A token of the App for the repository, and when it ends; borrowed until the
 * next call of anything here.
 */
MUST_USE int auth_grant(struct api *api, enum grant_use use,
                        const char **out_token, int64_t *out_expires_at_ms,
                        struct err *err);
void auth_clear(struct api *api);

/** The same as api_send() for a whole address, of the next page. */
MUST_USE int api_send_to(struct api *api, const struct api_request *request,
                         const char *url, struct api_answer *out,
                         struct err *err);

/** Whether it can be one: "/…", with no "..", blanks or controls. */
bool api_is_path(const char *path);

/** A page of a list, valid during the call; false: no more are wanted. */
typedef bool api_page_fn(void *arg, const json_t *page);
/**
 * GET pages of a list one by one: as api_list(), for lists that are long, or
 * are looked at up to some place only. `*out_all` (NULL is fine): it ended.
 */
MUST_USE int api_pages(struct api *api, const struct api_request *request,
                       api_page_fn *fn, void *arg, bool *out_all,
                       struct err *err);

/**
 * What a host says of a request that it did not do, in one line of printable
 * text, with what is secret of ours left out; "" if it says nothing.
 */
void api_message(const struct api *api, const struct api_answer *answer,
                 struct strbuf *out);

/** Add text of a stranger's as one line: no controls, nothing invisible. */
void api_add_line(struct strbuf *out, const char *text, size_t len);

/** Free a secret. NULL is fine. */
void api_wipe(char **secret);

#endif
