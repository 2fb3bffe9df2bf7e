/* worker/checkout/reply.h - reading what checkout says. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_REPLY_H
#define WORKER_CHECKOUT_REPLY_H

#include "base/err.h"
#include "worker/checkout/layer.h"

#include <jansson.h>
#include <stdbool.h>

enum reply_kind {
    REPLY_PROGRESS,
    REPLY_CONNECT,
    REPLY_SUBMODULE,
    REPLY_FILE,
    REPLY_DONE,
    REPLY_ERROR
};

/** One line, parsed. Strings belong to `root`. */
struct reply {
    enum reply_kind kind;
    json_t *root;           /* owned */
    const char *text;       /* progress; the message of an error */
    int connection;         /* connect */
    const char *path;       /* submodule; file: NULL, or a pattern's */
    const char *url;        /* submodule */
    const char *commit;     /* submodule, done */
    const char *branch;     /* done */
    const char *subject;    /* done */
    int fetched;            /* done */
    unsigned files;         /* done */
    int more;               /* done: files that fit a pattern were left out */
    bool layered;           /* done: it has a layer */
    struct layer layer;     /* done */
    const char *refs;       /* done */
    const char *why;        /* file; NULL: `size` bytes follow the line; done:
                               why there is no layer */
    size_t size;            /* file */
    enum err_kind err_kind; /* error */
};

/**
 * Parse a line. checkout has read a stranger's bytes and may be another
 * program by now: anything but exactly what protocol.h says is ERR_BUG.
 */
MUST_USE int reply_parse(const char *line, size_t len, struct reply *out_reply,
                         struct err *err);
/** Free what it owns and zero it. */
void reply_clear(struct reply *reply);
UNUSED static inline void reply_freep(struct reply *reply)
{
    reply_clear(reply);
}

/** In messages of a host that did not let us read, or denies that there is
 * anything. */
#define CHECKOUT_DENIED "authentication failed"
#define CHECKOUT_ABSENT "there is no such repository"

#endif
