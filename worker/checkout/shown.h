/* worker/checkout/shown.h - files of a commit, as checkout passes them on. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_SHOWN_H
#define WORKER_CHECKOUT_SHOWN_H

#include "worker/checkout/client.h"
#include "worker/checkout/protocol.h"
#include "worker/checkout/reply.h"

/** Start zeroed. */
struct shown {
    struct checkout_file files[SHOW_MAX_FILES]; /* what they name is owned */
    size_t count;
    char *filling; /* the last one's data: `missing` of its bytes are to come */
    size_t missing;
};

/** Begin the file of a REPLY_FILE; ERR_BUG: there are `wanted` already. */
MUST_USE int shown_begin(struct shown *shown, const struct reply *reply,
                         size_t wanted, struct err *err);
/** Take what belongs to the last file; returns how many bytes that are. */
size_t shown_take(struct shown *shown, const char *data, size_t len);
void shown_clear(struct shown *shown);

#endif
