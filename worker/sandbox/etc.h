/* worker/sandbox/etc.h - the files in /etc that are ours in every image. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_ETC_H
#define WORKER_SANDBOX_ETC_H

#include "base/err.h"

#include <stdbool.h>

/** All borrowed, for the duration of the call. */
struct etc_spec {
    const char *dir; /* exists: the files go there */
    int image;       /* its root (image.h), whose users there are, too, unless
                        they have our name or number; -1: the least there is */
    bool network;    /* names are answered by slirp4netns */
};

/** Names of the lists of users, and of the others; NULL at their ends. */
extern const char *const etc_users[];
extern const char *const etc_others[];

/** Write all of both. ERR_TRANSIENT. */
MUST_USE int etc_write(const struct etc_spec *spec, struct err *err);

#endif
