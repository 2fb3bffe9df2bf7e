/* worker/sandbox/etc.h - the files in /etc that are ours in every image. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_ETC_H
#define WORKER_SANDBOX_ETC_H

#include "base/err.h"

#include <stdbool.h>

#define ETC_MAX ((size_t)1 << 20) /* bytes of a list of users */

/** All borrowed, for the duration of the call. */
struct etc_spec {
    const char *dir; /* exists: the files go there */
    /* The image's own lists, or NULL: users with our name or number give way
     * to ours. */
    const char *passwd, *group;
    bool network; /* names are answered by slirp4netns */
};

/** Their names: passwd, group, hostname, hosts …; NULL at its end. */
extern const char *const etc_names[];

/** Write all of etc_names. ERR_TRANSIENT. */
MUST_USE int etc_write(const struct etc_spec *spec, struct err *err);

#endif
