/* worker/supervisor/warm_pool.h - sandboxes that wait for their job. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_WARM_POOL_H
#define WORKER_SUPERVISOR_WARM_POOL_H

#include "base/channel.h"
#include "base/config.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * Of each kind that is configured so many run-job processes are kept, each with
 * a sandbox that has started (JOB_FRAME_PREPARE). A job that asks for just that
 * kind gets one, which is its own from then on, and another is started in its
 * place, a little later and one at a time: jobs come first. One that dies is
 * replaced; if they cannot be had, ever longer pauses are made. One that is
 * WARM_MAX_AGE_MS old is replaced as well: it shows files of the host's /etc as
 * they were at its start.
 */
#define WARM_MAX_AGE_MS 600000
#define WARM_MAX_COUNT  64 /* of one kind */

struct warm_pool;

/**
 * Whether a name is that of a kind, TYPE[/hosts|/full][@IMAGE]: the instance
 * type, the network if it has one, the image if it is not "host". ERR_USER says
 * what is wrong.
 */
MUST_USE int warm_kind_check(const char *name, struct err *err);

/** All borrowed; they must outlive the pool. */
struct warm_pool_options {
    struct loop *loop;
    const char *state_dir;
    int64_t max_age_ms; /* 0: WARM_MAX_AGE_MS */
    /** Whether any are to be kept just now: jobs are taken, there is room. */
    bool (*may)(void *arg);
    void *arg;
};

/** Empty. */
MUST_USE struct warm_pool *
warm_pool_new(const struct warm_pool_options *options);
/** How many of which kinds; copied. Not begun before warm_pool_look(). */
void warm_pool_set(struct warm_pool *pool, const struct config_numbers *kinds);
/** Start or end what has to be, now, and from then on by itself. */
void warm_pool_look(struct warm_pool *pool);

/**
 * One that fits `start`, a JOB_FRAME_START, and lives: `*out_pid` is our child
 * and the caller's to watch, `*out_channel` his to free, both from now on. It
 * is never given again. False: there is none.
 */
MUST_USE bool warm_pool_take(struct warm_pool *pool, const json_t *start,
                             pid_t *out_pid, struct channel **out_channel);

/** Those that wait, ready. */
unsigned warm_pool_ready(const struct warm_pool *pool);

/** Close all sockets: they end. */
void warm_pool_close(struct warm_pool *pool);
/**
 * After that: wait until `until_ms` (clock_mono_ms), then kill them. Blocks.
 * Returns whether any had to be killed.
 */
bool warm_pool_wait(struct warm_pool *pool, int64_t until_ms);
/** Without I/O. NULL is fine. */
void warm_pool_free(struct warm_pool *pool);
OWNER(warm_pool)

#endif
