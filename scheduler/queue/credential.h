/* scheduler/queue/credential.h - who asks for what reads a repository. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_CREDENTIAL_H
#define SCHEDULER_QUEUE_CREDENTIAL_H

#include "scheduler/queue/control.h"
#include "scheduler/queue/lease.h"

/*
 * A worker asks for the lease that it has; some scheduler takes that, sees in
 * one script that the lease is that worker's and what its repository is, and
 * answers with bytes that mean nothing to Redis (base/seal.h), or with why not:
 *
 *   "+" and base64 of a sealed message, or "-" and one word of QUEUE_NO_…
 *
 * The message is JSON, {"username", "password"}; its context is what
 * queue_credential_context() says.
 */
#define QUEUE_NO_KEY   "key"   /* the worker is not enrolled */
#define QUEUE_NO_HOST  "host"  /* the repository is of no host of ours */
#define QUEUE_NO_TOKEN "token" /* the host has none for one repository */
#define QUEUE_NO_RIGHT "right" /* the host refuses */
#define QUEUE_NO_REPLY "reply" /* the host is away, or asks us to wait */

#define QUEUE_ANSWER_MS   30000 /* an answer is kept so long at most */
#define QUEUE_ASK_OLD_MS  25000 /* nobody waits for it any more */
#define QUEUE_MAX_ASKS    1000  /* that wait */
#define QUEUE_ASKS_LEASE  3     /* of one lease are answered */
#define QUEUE_MAX_ANSWER  ((size_t)16 << 10)
#define QUEUE_MAX_ADDRESS 2048

/** What an answer is bound to. All borrowed. */
struct queue_credential_for {
    const char *pool, *job_id, *epoch, *nonce, *repo, *worker;
};
/** "berth-checkout-1" and these, each with a NUL behind it. Owned by the
 * caller. */
MUST_USE char *queue_credential_context(const struct queue_credential_for *of,
                                        size_t *out_len);

/* ---- the worker ------------------------------------------------------------
 */

enum queue_asked {
    QUEUE_ASKED,
    QUEUE_ASK_LOST,   /* the lease is not this worker's any more */
    QUEUE_ASK_FULL,   /* very many wait: later */
    QUEUE_ASK_NOBODY, /* no scheduler is there */
};
typedef void queue_asked_fn(void *arg, enum queue_asked what,
                            const struct err *err);
/**
 * Ask (ask.lua). May be repeated while no answer comes. ERR_TRANSIENT,
 * ERR_TIMEOUT: Redis is away.
 */
void lease_ask_credential(struct lease *lease, const char *worker,
                          queue_asked_fn *fn, void *arg);

/** `answer`, valid during the call; NULL: none is there (yet). */
typedef void queue_credential_fn(void *arg, const char *answer, size_t len,
                                 const struct err *err);
/** Take the answer: it is not in Redis any more then. */
void lease_take_credential(struct lease *lease, queue_credential_fn *fn,
                           void *arg);

/* ---- the scheduler ---------------------------------------------------------
 */

/** As it came: anybody may have written it, within these bounds. */
struct queue_ask {
    char worker[65];
    char job_id[QUEUE_MAX_ID + 1];
    char epoch[21];
    char nonce[33];
    char asked_at_ms[21];
};

/** `ask` NULL: none came in time. */
typedef void queue_ask_fn(void *arg, const struct queue_ask *ask,
                          const struct err *err);
/**
 * Wait `wait_ms` at most, on a connection of its own (BLPOP). One call at a
 * time. What is no ask at all is as if none came.
 */
void queue_take_ask(struct queue *queue, uint32_t wait_ms, queue_ask_fn *fn,
                    void *arg);

/**
 * Whether the lease is the worker's, and asks not too often (asked.lua): what
 * its repository and report are, borrowed. ERR_LOST: it is not to be answered.
 */
typedef void queue_ask_checked_fn(void *arg, const char *repo,
                                  const char *report, const struct err *err);
void queue_check_ask(struct queue *queue, const struct queue_ask *ask,
                     queue_ask_checked_fn *fn, void *arg);
/** Leave the answer (answer.lua). ERR_LOST: its lease is over. */
void queue_answer_ask(struct queue *queue, const struct queue_ask *ask,
                      const char *answer, queue_done_fn *fn, void *arg);

#endif
