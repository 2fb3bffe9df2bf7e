/* scheduler/queue/delivery.h - what Git hosts sent, kept until it is done. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_DELIVERY_H
#define SCHEDULER_QUEUE_DELIVERY_H

#include "scheduler/queue/control.h"

#include <jansson.h>

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

/* ---- those that wait -------------------------------------------------------
 *
 * A scheduler takes one for a while, with a claim of its own making; what it
 * does not settle by then, because it died, another takes.
 */

/** Bytes of a claim: random hexadecimal digits. */
#define QUEUE_CLAIM 32

/** One that was taken; all borrowed, for the duration of the callback. */
struct queue_taken {
    const char *key;
    const char *forge, *event, *repo; /* as in struct queue_delivery */
    const char *body; /* `len` bytes as they came, and a NUL; NULL: damaged */
    size_t len;
    unsigned attempts;     /* how often it was taken, with this time */
    unsigned replays;      /* how often somebody asked for other jobs of it */
    int64_t started_at_ms; /* when it was taken first */
    int64_t now_ms;        /* by the same clock, Redis' */
};

/**
 * `err` NULL and `taken` NULL: none is due; the next one is `in_ms` from now,
 * or there is none (-1).
 */
typedef void queue_attend_fn(void *arg, const struct queue_taken *taken,
                             int64_t in_ms, const struct err *err);

/** Who wants one; borrowed during the call. */
struct queue_attendant {
    const char *scheduler; /* for people */
    const char *claim;     /* QUEUE_CLAIM digits, new for each call */
    int64_t lifetime_ms;
    const char *forges; /* whose it can deal with, with blanks between; one of
                           an earlier goes before all of a later */
};

/**
 * Take the one of a forge that waited longest (attend.lua). Nobody gets it
 * while the claim lasts.
 */
void queue_attend(struct queue *queue, const struct queue_attendant *who,
                  queue_attend_fn *fn, void *arg);

/**
 * `reason` NULL: the claim lasts `delay_ms` from now. Else it is given back,
 * and waits for so long (postpone.lua). ERR_LOST: another has it, or it is
 * settled.
 */
void queue_postpone(struct queue *queue, const char *key, const char *claim,
                    int64_t delay_ms, const char *reason, queue_done_fn *fn,
                    void *arg);

/** What became of one; all borrowed. */
struct queue_settlement {
    const char *key;
    const char *claim; /* NULL: whoever has it */
    const char *state; /* "done", "ignored"; "failed", which the host may send
                          again */
    const char *reason;
    const char *jobs; /* ids of those made, with blanks between; NULL: none */
    int64_t keep_ms;
};

/** (settle.lua.) ERR_LOST: it does not wait, or another has it. */
void queue_settle(struct queue *queue, const struct queue_settlement *settled,
                  queue_done_fn *fn, void *arg);

/* ---- for people ------------------------------------------------------------
 */

/**
 * The last ones, the newest first (deliveries.lua): an array of objects with
 * key, forge, event, id, repo, source, bytes, state, reason, attempts, replays,
 * scheduler, jobs (an array of ids) and …_at_ms; what is not there is left out.
 * With `key` (NULL, "": any) those that begin with it. Blocks; json_decref().
 */
MUST_USE int queue_deliveries(struct queue *queue, const char *key,
                              unsigned limit, json_t **out_rows,
                              struct err *err);

/**
 * A settled one waits again, and its jobs will be others than before
 * (replay.lua). ERR_USER: there is none, or it is not settled. Blocks.
 */
MUST_USE int queue_replay(struct queue *queue, const char *key,
                          struct err *err);

/**
 * The body of a delivery as it came, owned by the caller, with a NUL behind it.
 * Blocks. ERR_USER: there is none of that key, or it is damaged.
 */
MUST_USE int queue_delivery_body(struct queue *queue, const char *key,
                                 char **out_body, size_t *out_len,
                                 struct err *err);

#endif
