/* scheduler/queue/delivery.h - what Git hosts sent, kept until it is done. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_DELIVERY_H
#define SCHEDULER_QUEUE_DELIVERY_H

#include "scheduler/queue/control.h"

/** What is taken at most, before and after it is compressed. */
#define QUEUE_MAX_DELIVERY        ((size_t)25 << 20)
#define QUEUE_MAX_DELIVERY_STORED ((size_t)15 << 20)
/** Bytes of a key: digits of a digest. */
#define QUEUE_DELIVERY_KEY 64

/** All borrowed. */
struct queue_delivery {
    const char *key; /* QUEUE_DELIVERY_KEY hex digits: the same, if repeated */
    const char *forge;   /* "github" … */
    const char *event;   /* its name */
    const char *host_id; /* what the host calls it; may be "" */
    const char *repo;    /* owner/name, or "" */
    const char *source;  /* the address that it came from */
    const char *ignored; /* why nothing is to be done for it; NULL: it waits */
    const void *body;
    size_t len; /* QUEUE_MAX_DELIVERY at most */
};

/** How much all deliveries may take in Redis, and for how long. */
struct queue_delivery_limits {
    int64_t keep_ms;       /* from when they are settled on */
    uint64_t budget_bytes; /* as compressed, with 1 KiB for each besides */
};

enum queue_delivered {
    QUEUE_DELIVERY_STORED,
    QUEUE_DELIVERY_KNOWN, /* it is there: nothing changed */
    QUEUE_DELIVERY_AGAIN, /* it had failed, and waits again */
    QUEUE_DELIVERY_FULL,  /* those that wait leave no room: not stored */
};

/** `err` NULL: `what` became of it. */
typedef void queue_deliver_fn(void *arg, enum queue_delivered what,
                              const struct err *err);
/** Who is told; copied. */
struct queue_deliver_done {
    queue_deliver_fn *fn;
    void *arg;
};

/**
 * Keep a delivery, compressed (deliver.lua); copied before the call returns.
 * What is settled gives way, the oldest first; what waits is never dropped.
 * ERR_TRANSIENT, ERR_TIMEOUT: Redis is away; it may be there all the same, and
 * a repeat finds out.
 *
 * -1 and ERR_USER, and no call of `fn`: it is larger than the above.
 */
MUST_USE int queue_deliver(struct queue *queue,
                           const struct queue_delivery *delivery,
                           const struct queue_delivery_limits *limits,
                           const struct queue_deliver_done *done,
                           struct err *err);

/**
 * Say what became of one that waited (settle.lua): `state` is "done", "ignored"
 * or "failed", which the host may send again. ERR_LOST: it does not wait.
 */
void queue_settle(struct queue *queue, const char *key, const char *state,
                  const char *reason, int64_t keep_ms, queue_done_fn *fn,
                  void *arg);

/**
 * The body of a delivery as it came, owned by the caller, with a NUL behind it.
 * Blocks. ERR_USER: there is none of that key, or it is damaged.
 */
MUST_USE int queue_delivery_body(struct queue *queue, const char *key,
                                 char **out_body, size_t *out_len,
                                 struct err *err);

#endif
