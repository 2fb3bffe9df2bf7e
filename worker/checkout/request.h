/* worker/checkout/request.h - what checkout was asked to do. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_REQUEST_H
#define WORKER_CHECKOUT_REQUEST_H

#include "base/err.h"
#include "worker/checkout/layer.h"
#include "worker/checkout/protocol.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** The object of protocol.h; strings are never NULL and belong to it. */
struct request {
    const char *url;
    const char *commit; /* "" or 40 lower-case hexadecimal digits */
    const char *ref;
    const char *base;
    const char *mirror;
    const char *credential; /* stands for the one that the mirror is of */
    const char *prefix;
    const char *tree;
    const char *subdir;
    const char *alternates;
    const char *username;
    const char *password;
    const char *paths[SHOW_MAX_FILES];
    size_t path_count;
    const char *also[ALSO_MAX]; /* 40 digits each, as they were given */
    size_t also_count;
    bool show;    /* the files at `paths`; no tree is written */
    bool layered; /* the tree is to be shared: see protocol.h */
    struct layer_base bases[LAYER_MAX_BASES];
    size_t base_count;
    uint64_t max_bytes;
    bool submodules;
    bool stdio_transport;
    uid_t uid;
    uid_t inside_uid;
    int64_t timeout_ms;
    void *root; /* what the strings belong to */
};

/** Read it from `fd` to end of file. ERR_USER or ERR_BUG says what is wrong. */
MUST_USE int request_read(int fd, struct request *out_request, struct err *err);
void request_clear(struct request *request);
UNUSED static inline void request_freep(struct request *request)
{
    request_clear(request);
}

#endif
