/* base/redis_url.h - where a Redis is, and how to log in. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_REDIS_URL_H
#define BASE_REDIS_URL_H

#include "base/err.h"

/** A parsed address. The password is wiped when it is freed. */
struct redis_url {
    char *path;     /* owned; the socket, or NULL: host and port */
    char *host;     /* owned; a name or an address without brackets */
    int port;       /* 6379 unless said otherwise */
    char *user;     /* owned; NULL: the default user */
    char *password; /* owned; NULL: no AUTH */
    int db;         /* 0 unless said otherwise */
    char *name;     /* owned; for messages: never holds the password */
};

/**
 * Parse one of
 *
 *   redis://[[user]:password@]host[:port][/db]
 *   unix:///path/of/socket[?db=N], unix:/path…, or a bare absolute path
 *   (unix://user:password@/path… logs in as well)
 *
 * with %XX escapes in user, password and path. ERR_USER otherwise; `rediss://`
 * is refused, saying what it needs. The message never quotes a password.
 */
MUST_USE int redis_url_parse(const char *text, struct redis_url **out_url,
                             struct err *err);
void redis_url_free(struct redis_url *url);
OWNER(redis_url)

#endif
