/* worker/opencode/events.h - what `opencode run --format json` tells. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_OPENCODE_EVENTS_H
#define WORKER_OPENCODE_EVENTS_H

#include "base/err.h"
#include "base/strbuf.h"

#include <stdint.h>

#define EVENTS_MAX_TEXT  ((size_t)1 << 20)  /* of the answer */
#define EVENTS_MAX_LINE  ((size_t)4 << 20)  /* of one event */
#define EVENTS_MAX_BYTES ((size_t)64 << 20) /* of all: it repeats itself */

/**
 * One JSON object a line; types that we do not know are passed over. Start with
 * events_init().
 */
struct events {
    struct strbuf text; /* of the last step: the answer */
    struct strbuf line;
    char reason[24];  /* of the last step: "stop", "length" …; "" for none */
    struct err error; /* the first that it told */
    uint64_t bytes;   /* so far */
};

void events_init(struct events *events);
void events_clear(struct events *events);

/** -1 and ERR_USER: it is more than the above; it should be ended. */
MUST_USE int events_feed(struct events *events, const void *data, size_t len,
                         struct err *err);

/**
 * Whether this is a whole answer: it exited with 0, the last step's reason is
 * "stop", and there is text. Else -1, ERR_USER, and why.
 */
MUST_USE int events_check(const struct events *events, int exit_code,
                          struct err *err);

#endif
