/* base/redis.h - a client of Redis in a poll loop (hiredis async). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_REDIS_H
#define BASE_REDIS_H

#include "base/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redisReply; /* <hiredis/hiredis.h> */

/*
 * A client connects, logs in, selects its database and loads its scripts by
 * itself, and does so again, with a growing pause, whenever the connection is
 * lost. Commands given meanwhile wait for it, up to their time limit. Nothing
 * blocks, save for the resolver of libc where the URL has a host name. What
 * waits for an answer is bounded: 64 MiB, and commands over 128 KiB fail
 * (ERR_TRANSIENT) when 8 MiB wait.
 *
 * Sentinels are asked for the master before each connection, which must be one
 * to a master; a READONLY answer, too, makes the client look for another.
 *
 * All keys of a client of a cluster must be in one hash slot: it has one
 * connection, and moves it to where the cluster says that slot is (MOVED), and
 * sends single commands elsewhere (ASK). What the cluster cannot answer for
 * now (TRYAGAIN, CLUSTERDOWN) is sent again, up to the command's time limit.
 *
 * Each command's callback comes exactly once, from the loop and never from
 * inside redis_command(); none comes after redis_free().
 */
struct redis;

/**
 * `reply` is valid during the call and never an error reply; or it is NULL and
 * `err` says what happened:
 *   ERR_TRANSIENT  Redis is away, loading, out of memory…; the command may or
 *                  may not have been carried out
 *   ERR_TIMEOUT    the same, told by the clock
 *   ERR_BUG        Redis refused the command itself
 */
typedef void redis_reply_fn(void *arg, const struct redisReply *reply,
                            const struct err *err);

/** A Lua script; a static table of these is what a room hands over. */
struct redis_script {
    const char *name;   /* for messages */
    const char *source; /* borrowed, NUL-terminated */
};

#define REDIS_COMMAND_TIMEOUT_MS 10000
#define REDIS_MAX_REPLY_BYTES    (16U << 20)

struct redis_options {
    const char *url;                    /* redis_url_parse(); copied */
    const struct redis_script *scripts; /* borrowed */
    size_t script_count;                /* at most 32 */
    uint32_t connect_timeout_ms;        /* 0: 5000 */
    uint32_t command_timeout_ms;        /* 0: REDIS_COMMAND_TIMEOUT_MS */
    uint32_t max_reply_bytes; /* 0: REDIS_MAX_REPLY_BYTES; or 16 KiB more */
    uint32_t max_retry_ms;    /* longest pause; 0: 2000 */
    uint32_t wait_replicas;   /* redis_eval_durable(); 0: none */
    uint32_t wait_ms;         /* for them, below command_timeout_ms; 0: 1000 */
};

/** One command: its words, which may hold any bytes. */
struct redis_words {
    const char *const *words;
    const size_t *lens; /* NULL: all are strings */
    size_t count;
};

/**
 * Start to connect; Redis need not be there. Ignores SIGPIPE in this process
 * where nobody handles it. `loop` must outlive the client. ERR_USER: a bad URL,
 * or a file that it names.
 */
MUST_USE int redis_open(struct loop *loop, const struct redis_options *options,
                        struct redis **out_redis, struct err *err);
/** Closes at once; what waits is dropped without a callback. NULL is fine. */
void redis_free(struct redis *redis);
OWNER(redis)

/**
 * Why the server did not let us in when we last tried (login, database); NULL:
 * it did, or it is away. Borrowed, until the loop runs.
 */
const char *redis_refusal(const struct redis *redis);

/**
 * Turn an error of Redis, as a reply or as what a script caught, into one of
 * the kinds above. Returns -1. `server` stands before it.
 */
int redis_reply_failed(const char *reply, const char *server, struct err *err);

/** Send a command; the words are copied. `fn` NULL: the answer is dropped. */
void redis_command(struct redis *redis, const struct redis_words *words,
                   redis_reply_fn *fn, void *arg);

/**
 * Run script number `script` of the table: EVALSHA, and EVAL with the source
 * if the server has forgotten it. `args` follow the single key.
 */
void redis_eval(struct redis *redis, size_t script, const char *key,
                const struct redis_words *args, redis_reply_fn *fn, void *arg);

/**
 * The same, but the answer comes only when `wait_replicas` replicas have what
 * the script wrote (WAIT, right behind it). ERR_TRANSIENT when fewer had it
 * after `wait_ms`: the script was carried out, and is to be repeated.
 */
void redis_eval_durable(struct redis *redis, size_t script, const char *key,
                        const struct redis_words *args, redis_reply_fn *fn,
                        void *arg);

#endif
