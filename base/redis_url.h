/* base/redis_url.h - where a Redis is, and how to log in. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_REDIS_URL_H
#define BASE_REDIS_URL_H

#include "base/err.h"

#include <stdbool.h>

#define REDIS_MAX_HOSTS 16
#define REDIS_MAX_HOST  253 /* bytes of a name, as in DNS */

enum redis_kind {
    REDIS_ONE,      /* one server */
    REDIS_SENTINEL, /* the hosts are sentinels, which know the master */
    REDIS_CLUSTER,  /* the hosts are some of its nodes */
};

struct redis_host {
    char *host; /* owned; a name or an address without brackets */
    int port;
};

/** A parsed address. The passwords are wiped when it is freed. */
struct redis_url {
    enum redis_kind kind;
    char *path;                               /* owned; the socket, or NULL */
    struct redis_host hosts[REDIS_MAX_HOSTS]; /* without a path */
    size_t host_count;
    char *user;              /* owned; NULL: the default user */
    char *password;          /* owned; NULL: no AUTH */
    int db;                  /* 0 unless said otherwise */
    char *master;            /* owned; its name among the sentinels */
    char *sentinel_user;     /* owned; NULL: their default user */
    char *sentinel_password; /* owned; NULL: no AUTH to sentinels */
    bool tls;                /* with all of the hosts */
    char *ca;                /* owned; a file; NULL: the system's trust */
    char *cert, *key;        /* owned; files; NULL: no certificate of ours */
    char *sni;               /* owned; the server's name; NULL: the host */
    char *name;              /* owned; for messages: never holds a password */
};

/**
 * Parse one of
 *
 *   redis://[[user]:password@]host[:port][/db]
 *   redis+sentinel://[[user]:password@]host[:port],…/master[/db]
 *   redis+cluster://[[user]:password@]host[:port],…
 *   unix:///path/of/socket, unix:/path…, or a bare absolute path
 *   (unix://user:password@/path… logs in as well)
 *
 * with `rediss` in place of `redis` for TLS, %XX escapes in all but hosts and
 * numbers, and after a `?` these options, joined by `&`:
 *
 *   db=N                               a unix socket's database
 *   ca=FILE, cert=FILE, key=FILE       TLS: whom to trust, who we are
 *   sni=NAME                           TLS: the name to ask for and to check
 *   sentinel-user=…, sentinel-password=…
 *
 * Ports are 6379, or 26379 of sentinels, unless said otherwise. ERR_USER says
 * at which character the text is wrong, and never quotes a password; or that
 * this build has no TLS, and what it needs.
 */
MUST_USE int redis_url_parse(const char *text, struct redis_url **out_url,
                             struct err *err);
void redis_url_free(struct redis_url *url);
OWNER(redis_url)

#endif
