/* base/redis_impl.h - what both Redis clients share; theirs alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_REDIS_IMPL_H
#define BASE_REDIS_IMPL_H

#include "base/redis.h"
#include "base/redis_url.h"

#include <hiredis/hiredis.h>

#define REDIS_MAX_SCRIPTS 32
#define REDIS_SHA_SIZE    41
#define REDIS_MAX_LOGIN   2

/** AUTH or SELECT. */
struct redis_login {
    const char *words[3]; /* borrowed from the URL and `db` */
    size_t count;
    char db[12];
};

/** What must be said on each new connection; returns how many. */
size_t redis_login_steps(const struct redis_url *url,
                         struct redis_login out[REDIS_MAX_LOGIN]);
/** Say why one of them failed, without quoting what could hold a password. */
int redis_login_failed(const struct redis_login *step, const char *reply,
                       struct err *err);

/** Options with their defaults filled in; ERR_BUG for too many scripts. */
int redis_options_fill(struct redis_options *options, struct err *err);

/** Words of our own, copied: a command that may have to be sent again. */
struct redis_copy {
    char **words; /* owned, each of them too */
    size_t *lens; /* owned */
    size_t count;
    size_t bytes; /* of all words */
};

/** Copy `words` behind `skip` empty ones. */
void redis_copy_words(struct redis_copy *copy, size_t skip,
                      const struct redis_words *words);
void redis_copy_set(struct redis_copy *copy, size_t at, const char *word);
void redis_copy_freep(struct redis_copy *copy);

/** The words of EVALSHA, script and key still to be set (0 and 1). */
void redis_copy_eval(struct redis_copy *copy, const char *key,
                     const struct redis_words *args);

/** The command as the protocol has it; free with redisFreeCommand(). */
char *redis_format(const struct redis_copy *copy, size_t *out_len);

/** Turn an error reply into an error of the right kind; returns -1. */
int redis_reply_failed(const char *reply, const char *server, struct err *err);
bool redis_reply_is(const struct redisReply *reply, const char *code);

/** Close-on-exec, which hiredis does not ask for: no child has this socket. */
void redis_keep_private(const redisContext *context);

/** Ignore SIGPIPE, unless the process has a handler for it. */
void redis_ignore_sigpipe(void);

#endif
