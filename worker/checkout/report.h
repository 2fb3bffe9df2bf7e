/* worker/checkout/report.h - what checkout says on stdout. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_REPORT_H
#define WORKER_CHECKOUT_REPORT_H

#include "base/err.h"
#include "worker/checkout/layer.h"

#include <stdbool.h>

/* Each writes one line of protocol.h; a client that went away ends us. */

/** At most 4 a second: what comes sooner is dropped. */
void report_progress(const char *fmt, ...) PRINTF_LIKE(1, 2);
void report_connect(int number);
void report_submodule(const char *path, const char *url, const char *commit);

/**
 * One of the files to show; `path` NULL: one that was named, `why` NULL: it is
 * the `len` bytes at `data`.
 */
void report_file(const char *path, const void *data, size_t len,
                 const char *why);

struct report_done {
    const char *commit;
    const char *branch;
    const char *subject;
    bool fetched;
    unsigned files;
    const struct layer *layer; /* NULL: none was asked for */
    const char *refs;          /* of the layer's tree */
    const char *why;           /* there is none; or "" */
    bool more;                 /* files that fit a pattern were left out */
};
void report_done(const struct report_done *done);
void report_error(const struct err *err);

#endif
