/* base/redis_link.h - one connection to one server of Redis, logged in. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_REDIS_LINK_H
#define BASE_REDIS_LINK_H

#include "base/redis_call.h"
#include "base/redis_tls.h"
#include "base/redis_url.h"

#include <hiredis/hiredis.h>

/** Where one server is: a socket of the file system, or a host and port. */
struct redis_address {
    const char *path;              /* borrowed; NULL: host and port */
    char host[REDIS_MAX_HOST + 1]; /* a name or an address, no brackets */
    int port;
};

/** Everything is borrowed, and must outlive the link. */
struct redis_link_spec {
    const struct redis_tls *tls; /* NULL: in the clear */
    const char *user;            /* NULL: the default user */
    const char *password;        /* NULL: no AUTH */
    int db;
    bool master; /* take none but a master */
    const struct redis_script *scripts;
    size_t script_count;
    uint32_t timeout_ms; /* until it is ready, once its name is resolved */
    size_t max_reply_bytes;
};

/** What the link tells its owner, always from the loop. */
struct redis_link_calls {
    /** Logged in, the scripts loaded: commands may be sent. Once. */
    void (*ready)(void *arg);
    /** The answer to redis_link_send(); may be an error reply. */
    void (*reply)(void *arg, void *token, redisReply *reply);
    /** It is over, and nothing else comes. Once; the owner frees the link.
     * ERR_USER: the server does not want us. ERR_TRANSIENT: any other. */
    void (*down)(void *arg, const struct err *err);
};

struct redis_link;

/**
 * Start to connect. A host's name is resolved first, for this link alone, and
 * its addresses are tried in turn (base/resolve.h). ERR_TRANSIENT: it is clear
 * already that it is away.
 */
MUST_USE int redis_link_open(struct loop *loop,
                             const struct redis_address *address,
                             const struct redis_link_spec *spec,
                             const struct redis_link_calls *calls, void *arg,
                             struct redis_link **out_link, struct err *err);
/** Close at once, also from inside its calls; none comes after. */
void redis_link_free(struct redis_link *link);
OWNER(redis_link)

/** Send formatted text, which is copied. Answers come in the order of this. */
void redis_link_send(struct redis_link *link, const char *text, size_t len,
                     void *token);
/** The digest of a script, or "" when the server gave none. */
const char *redis_link_sha(const struct redis_link *link, size_t script);

/**
 * Keep the reply that is being told until redis_reply_free(), or, for a caller
 * who knows nothing of it, freeReplyObject(). One reply at a time.
 */
redisReply *redis_reply_keep(const struct redisReply *reply);
/** Free what was kept; once more kept by then, it goes on to live. */
void redis_reply_free(redisReply *reply);

#endif
