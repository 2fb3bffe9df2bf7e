/* worker/checkout/url.h - where a repository is, and how to get there. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_URL_H
#define WORKER_CHECKOUT_URL_H

#include "base/err.h"

#include <stdbool.h>

#define URL_MAX_BYTES 2048

enum url_kind {
    URL_HTTP, /* https too: libgit2 goes there by itself */
    URL_SSH,  /* ssh://[user@]host[:port]/path or [user@]host:path */
    URL_LOCAL /* /path or file:///path */
};

/** A parsed address. Start zeroed; all strings owned, NULL where absent. */
struct url {
    enum url_kind kind;
    char *scheme; /* "https", "http", "ssh" or "file" */
    char *user;
    char *password;
    char *host;  /* lower case; without brackets */
    char *port;  /* digits */
    char *path;  /* decoded, but for http(s) */
    char *shown; /* the address without a credential: for people, configs */
};

/**
 * Parse a stranger's URL. ERR_USER, with a message that quotes no userinfo,
 * for another scheme, a host or path that begins with '-', control characters,
 * a relative path, or more than URL_MAX_BYTES.
 */
MUST_USE int url_parse(const char *text, struct url *out_url, struct err *err);
/** Free what it owns (secrets are wiped) and zero it. */
void url_clear(struct url *url);
UNUSED static inline void url_freep(struct url *url)
{
    url_clear(url);
}

/** Whether a credential for one may be given to the other. */
bool url_same_origin(const struct url *a, const struct url *b);

/**
 * The address of a submodule as git resolves it: "./x" and "../x" are relative
 * to the repository `base` (its `shown`), anything else is taken as it is.
 * ERR_USER when there are more "../" than directories. Owned by the caller.
 */
MUST_USE int url_resolve(const char *base, const char *relative, char **out,
                         struct err *err);

#endif
