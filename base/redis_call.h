/* base/redis_call.h - a command of a Redis client, as the protocol has it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_REDIS_CALL_H
#define BASE_REDIS_CALL_H

#include "base/redis.h"

#include <sys/queue.h>

#define REDIS_SHA_SIZE 41

/** One command; formatted once, and kept for being sent again. */
struct redis_call {
    TAILQ_ENTRY(redis_call) entry;
    int64_t deadline_ms; /* clock_mono_ms() */
    redis_reply_fn *fn;  /* NULL: nobody asks */
    void *arg;
    struct err *err;          /* owned; what is to be told */
    struct redisReply *reply; /* owned; until WAIT is answered */
    size_t script;            /* of the table, when is_eval */
    bool is_eval;
    bool by_source; /* EVAL: the server has forgotten the script */
    bool durable;   /* WAIT follows it */
    unsigned hops;  /* how often a cluster sent it elsewhere */
    size_t len;     /* of `wire` */
    size_t head;    /* bytes of it up to the script's digest */
    char wire[];
};

TAILQ_HEAD(redis_call_list, redis_call);

/** Any command; all fields but those of the text are zero. */
MUST_USE struct redis_call *redis_call_new(const struct redis_words *words);
/** EVALSHA with one key; `args` may be NULL. */
MUST_USE struct redis_call *redis_call_eval(size_t script, const char *key,
                                            const struct redis_words *args);
void redis_call_free(struct redis_call *call);

/** The command, `*out_len` bytes; of a script, by its digest. Borrowed. */
const char *redis_call_text(struct redis_call *call,
                            const char sha[REDIS_SHA_SIZE], size_t *out_len);
/** The same with the script's source (EVAL). Owned by the caller. */
MUST_USE char *redis_call_source(const struct redis_call *call,
                                 const char *source, size_t *out_len);

/** Keep the list in the order of time limits: mostly this is its tail. */
void redis_call_insert(struct redis_call_list *list, struct redis_call *call);

#endif
