/* scheduler/queue/impl.h - what the files of the queue share; theirs alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_IMPL_H
#define SCHEDULER_QUEUE_IMPL_H

#include "base/redis.h"
#include "base/redis_sync.h"
#include "scheduler/queue/queue.h"
#include "scheduler/queue/scripts.h"

#include <hiredis/hiredis.h>
#include <sys/queue.h>

/* Until fairness between repositories comes, all jobs have one tenant. */
#define QUEUE_TENANT     "default"
#define QUEUE_NONCE_SIZE 33

#define QUEUE_LOG_HEAD_BYTES ((size_t)256 << 10)
#define QUEUE_LOG_TAIL_BYTES ((size_t)1 << 20)
/* About what Redis needs for an entry besides its data. */
#define QUEUE_LOG_OVERHEAD 64

/** One asynchronous call under way. */
struct queue_request {
    TAILQ_ENTRY(queue_request) link;
    struct queue *queue; /* borrowed */
    struct lease *lease; /* borrowed; NULL for queue_lease() */
    bool forgotten;      /* nobody waits: tell nobody */
    int64_t sent_mono_ms;
    union {
        queue_lease_fn *lease;
        lease_renewed_fn *renewed;
        lease_done_fn *done;
    } fn;
    void *arg;
};

struct queue {
    struct queue_options options; /* defaults filled in; strings below */
    char *url;                    /* owned */
    char *pool;                   /* owned */
    char *prefix;                 /* owned; "berth:{pool}:" */
    struct redis *redis;          /* owned; NULL: opened without a loop */
    struct redis_sync *sync;      /* owned; NULL: not yet needed */
    TAILQ_HEAD(, queue_request) requests; /* owned */
    char nonce[QUEUE_NONCE_SIZE]; /* of the next lease; kept until answered */
};

struct lease {
    struct queue *queue;          /* borrowed */
    char *job_id;                 /* owned */
    char *payload;                /* owned */
    uint64_t epoch;               /* grows with every lease of the job */
    char nonce[QUEUE_NONCE_SIZE]; /* so an epoch lost in a failover is harmless
                                   */
    int64_t sent_mono_ms;
};

/** The arguments of a script, being put together. */
#define QUEUE_MAX_ARGS (8 + 4 * LEASE_LOG_MAX_ENTRIES)
struct queue_args {
    const char *words[QUEUE_MAX_ARGS];
    size_t lens[QUEUE_MAX_ARGS];
    size_t count;
    char numbers[8 + 2 * LEASE_LOG_MAX_ENTRIES][24];
    size_t number_count;
};

void queue_args_str(struct queue_args *args, const char *s); /* borrowed */
void queue_args_mem(struct queue_args *args, const void *data, size_t len);
void queue_args_num(struct queue_args *args, uint64_t n);
struct redis_words queue_args_words(const struct queue_args *args);

/** The blocking connection, made where it is missing. */
MUST_USE int queue_sync(struct queue *queue, struct redis_sync **out_redis,
                        struct err *err);

/** Run a script; the answer goes to `on_reply` with the request as `arg`. */
struct queue_request *queue_request(struct queue *queue, struct lease *lease,
                                    void *arg);
void queue_send(struct queue_request *request, enum queue_script script,
                const char *key, const struct queue_args *args,
                redis_reply_fn *on_reply);
void queue_request_free(struct queue_request *request);

/** "berth:log:{pool:id:epoch}:"; owned by the caller. */
MUST_USE char *queue_log_prefix(const struct queue *queue, const char *id,
                                uint64_t epoch);

/** Element `i` of an array reply as a string (borrowed), or NULL. */
const char *queue_reply_str(const struct redisReply *reply, size_t i);

#endif
