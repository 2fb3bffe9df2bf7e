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
    size_t named;  /* paths that were asked for and are no pattern */
    char *pattern; /* owned; the last one, or NULL */
    char *filling; /* the last one's data: `missing` of its bytes are to come */
    size_t missing;
};

/** Say what is asked for, at most SHOW_MAX_FILES paths. */
void shown_expect(struct shown *shown, const char *const *paths, size_t count);
/** The most files that there can be. */
size_t shown_max(const struct shown *shown);
/** Begin the file of a REPLY_FILE; ERR_BUG: nobody asked for it. */
MUST_USE int shown_begin(struct shown *shown, const struct reply *reply,
                         struct err *err);
/** ERR_BUG: not all is there that a REPLY_DONE speaks of. */
MUST_USE int shown_end(const struct shown *shown, const struct reply *reply,
                       struct err *err);
/** Take what belongs to the last file; returns how many bytes that are. */
size_t shown_take(struct shown *shown, const char *data, size_t len);
void shown_clear(struct shown *shown);

#endif
