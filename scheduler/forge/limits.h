/* scheduler/forge/limits.h - how long a Git host wants to be left alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_LIMITS_H
#define SCHEDULER_FORGE_LIMITS_H

#include "base/mem.h"
#include "scheduler/forge/forge.h"

#include <stdbool.h>
#include <stdint.h>

/** No answer makes us wait longer than this: it may be forged, or mistaken. */
#define LIMITS_MAX_PAUSE_MS ((int64_t)3600 * 1000)

/** An answer of a host's API; all borrowed. */
struct limits_answer {
    enum forge_kind forge;
    int status;
    const struct strv *headers; /* "Name: value" */
    const char *body;           /* NULL: not looked at */
    int64_t now_ms;             /* wall clock */
    unsigned refusals;          /* how often in a row it refused before this */
};

enum limits_verdict {
    LIMITS_NONE,   /* go on; the answer is about something else */
    LIMITS_SLOW,   /* it was done, but the next must wait for `pause_ms` */
    LIMITS_REFUSED /* it was not done: again after `pause_ms` */
};

struct limits {
    enum limits_verdict verdict;
    int64_t pause_ms;  /* up to LIMITS_MAX_PAUSE_MS; 0 with LIMITS_NONE */
    bool is_secondary; /* GitHub's against haste, not the hour's budget */
};

/**
 * What the host's limits mean for the next request. 429 always is a refusal;
 * so is GitHub's 403 with Retry-After, with x-ratelimit-remaining: 0, or whose
 * body speaks of a rate limit or of abuse; any other 403 is a permission, which
 * waiting does not give. 503 is one where Retry-After is with it.
 *
 * The pause is Retry-After (seconds, or a date of RFC 9110, 5.6.7); else, with
 * nothing left, until X-RateLimit-Reset or RateLimit-Reset (seconds since
 * 1970; GitLab and GitHub); else a minute, doubled for each refusal before. It
 * is a second at least.
 * An answer that is no refusal but leaves nothing is LIMITS_SLOW.
 */
struct limits limits_read(const struct limits_answer *answer);

/**
 * Milliseconds that a Retry-After asks for, from `now_ms` on; 0 for a date that
 * has passed, -1 for what is neither a date nor a number.
 */
int64_t limits_retry_after_ms(const char *value, int64_t now_ms);

#endif
