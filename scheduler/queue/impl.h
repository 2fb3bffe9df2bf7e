/* scheduler/queue/impl.h - what the files of the queue share; theirs alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_IMPL_H
#define SCHEDULER_QUEUE_IMPL_H

#include "base/arena.h"
#include "base/redis.h"
#include "base/redis_sync.h"
#include "scheduler/queue/lease.h"
#include "scheduler/queue/queue.h"
#include "scheduler/queue/scripts.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <sys/queue.h>

#define QUEUE_NONCE_SIZE 33

struct queue_request;
/** `reply` NULL: `err` says why. The request is freed after the call. */
typedef void queue_answer_fn(struct queue_request *request,
                             const struct redisReply *reply,
                             const struct err *err);

/** One asynchronous call under way. */
struct queue_request {
    TAILQ_ENTRY(queue_request) link;
    struct queue *queue; /* borrowed */
    struct lease *lease; /* borrowed; NULL: of no lease */
    bool forgotten;      /* nobody waits: the answer is dropped */
    bool grants;         /* a lease, by the queue's nonce */
    queue_answer_fn *on_answer;
    int64_t sent_mono_ms;
    size_t at;        /* of one of several: its place in the reply */
    void (*fn)(void); /* the caller's, cast by on_answer */
    void *arg;
    void *data;                    /* owned; of the kind of call */
    void (*free_data)(void *data); /* NULL: free() */
};

struct keeper_round; /* keeper.c */
struct batch;        /* complete.c */

struct queue {
    struct queue_options options; /* defaults filled in; strings below */
    char *url;                    /* owned */
    char *pool;                   /* owned */
    char *prefix;                 /* owned; "berth:{pool}:" */
    struct loop *loop;            /* borrowed; NULL: opened without one */
    struct redis *redis;          /* owned; NULL: opened without a loop */
    struct redis *bell;           /* owned; for what waits; NULL: not needed */
    struct redis *wait;           /* owned; the same, of a scheduler's runs */
    struct redis *inbox;          /* owned; the same, of its documents */
    struct redis *asks;           /* owned; the same, of its workers */
    struct keeper_round *round;   /* owned; NULL: none is under way */
    struct redis_sync *sync;      /* owned; NULL: not yet needed */
    TAILQ_HEAD(, queue_request) requests; /* owned */
    TAILQ_HEAD(, lease) leases;           /* borrowed; those that live */
    char nonce[QUEUE_NONCE_SIZE]; /* of the next lease; kept until answered */
    bool again;                   /* it was sent before */
    uint64_t serials;             /* of the last lease object made */
    struct batch *batch;          /* owned; what is to be sent; NULL: nothing */
    bool *freed; /* borrowed; told by queue_free(); NULL: nobody asks */
};

struct lease {
    TAILQ_ENTRY(lease) link;
    struct queue *queue;          /* borrowed */
    uint64_t serial;              /* of this object, in this process */
    char *job_id;                 /* owned */
    char *payload;                /* owned */
    uint64_t epoch;               /* grows with every lease of the job */
    char nonce[QUEUE_NONCE_SIZE]; /* so an epoch lost in a failover is harmless
                                   */
    int64_t sent_mono_ms;
    char next_nonce[QUEUE_NONCE_SIZE]; /* of the lease that is to follow */
    bool next_again;                   /* it was asked for before */
};

/* ---- arguments ------------------------------------------------------------
 */

/** The arguments of a script, being put together; start with QUEUE_ARGS. */
struct queue_args {
    const char **words; /* owned */
    size_t *lens;       /* owned */
    size_t count, cap;
    struct arena *arena; /* owned; holds numbers; NULL: none yet */
};
#define QUEUE_ARGS                                                             \
    {                                                                          \
        NULL, NULL, 0, 0, NULL                                                 \
    }

void queue_args_str(struct queue_args *args, const char *s); /* borrowed */
/** The same; NULL is "". */
void queue_args_opt(struct queue_args *args, const char *s);
void queue_args_mem(struct queue_args *args, const void *data, size_t len);
void queue_args_num(struct queue_args *args, int64_t n);
struct redis_words queue_args_words(const struct queue_args *args);
void queue_args_clear(struct queue_args *args);
UNUSED static inline void queue_args_freep(struct queue_args *args)
{
    queue_args_clear(args);
}

/* ---- calls that block ------------------------------------------------------
 */

/** The blocking connection, made where it is missing. */
MUST_USE int queue_sync(struct queue *queue, struct redis_sync **out_redis,
                        struct err *err);
/** Run a script of the pool. freeReplyObject(). */
MUST_USE int queue_run(struct queue *queue, enum queue_script script,
                       const struct queue_args *args,
                       struct redisReply **out_reply, struct err *err);
/** Run a command; the words are strings. freeReplyObject(). */
MUST_USE int queue_command(struct queue *queue, const char *const *words,
                           size_t count, struct redisReply **out_reply,
                           struct err *err);

/* ---- calls that do not ------------------------------------------------------
 */

/** `fn` is kept as void (*)(void) and cast back by `on_answer`. */
struct queue_request *queue_request(struct queue *queue,
                                    queue_answer_fn *on_answer,
                                    void (*fn)(void), void *arg);
/** Run a script of the pool; the arguments are copied. */
void queue_send(struct queue_request *request, enum queue_script script,
                const struct queue_args *args);
/** Give a request its answer, and free it; for one that is part of another. */
void queue_finish(struct queue_request *request, const struct redisReply *reply,
                  const struct err *err);
/** Run a command on the main connection. */
void queue_send_command(struct queue_request *request,
                        const struct queue_args *args);
/**
 * Run a command that waits `wait_ms` on `*connection`, which is made where it
 * is missing. The answer comes by then, or ERR_TIMEOUT soon after.
 */
void queue_send_waiting(struct queue_request *request,
                        struct redis **connection,
                        const struct queue_args *args);
#define QUEUE_MAX_WAIT_MS 60000

/* ---- names and answers ------------------------------------------------------
 */

/** Whether `s` is 1 to `max` of a-z, 0-9 and what is in `also`. */
bool queue_made_of(const char *s, const char *also, size_t max);

/** A number in [0, 1) as text, for what scripts do by chance. */
#define QUEUE_FRACTION_SIZE 16
const char *queue_fraction(char out[QUEUE_FRACTION_SIZE]);
/** `wait_ms`, QUEUE_MAX_WAIT_MS at most, in seconds as Redis takes it. */
#define QUEUE_SECONDS_SIZE 24
const char *queue_seconds(uint32_t wait_ms, char out[QUEUE_SECONDS_SIZE]);

/** berth:{pool}:<format>. Owned by the caller. */
MUST_USE char *queue_key(const struct queue *queue, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

/** Element `i` of an array reply as a string (borrowed), or NULL. */
const char *queue_reply_str(const struct redisReply *reply, size_t i);
/** The same as a number; 0 for none. */
int64_t queue_reply_num(const struct redisReply *reply, size_t i);

/** What lease.lua and complete.lua begin with; `wish` NULL: none is wanted. */
void queue_add_wish(struct queue_args *args, const struct queue *queue,
                    const char *worker, const struct lease_wish *wish);
/** Drop what was not sent yet; its requests are the caller's to free. */
void queue_drop_batch(struct queue *queue);

/** A lease of an answer whose element `at` is the id; NULL: none is there. */
struct lease *queue_read_lease(struct queue *queue, const redisReply *reply,
                               size_t at, const char *nonce,
                               int64_t sent_mono_ms);

#endif
