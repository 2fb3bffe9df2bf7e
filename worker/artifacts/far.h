/* worker/artifacts/far.h - artifacts in a store, for who wants to have them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_ARTIFACTS_FAR_H
#define WORKER_ARTIFACTS_FAR_H

#include "worker/artifacts/artifacts.h"

#include <jansson.h>

/* Each call has the program artifact-store do it, and blocks. */

/** What the last attempt of a job that left any left there. Start zeroed. */
struct far_artifacts {
    uint64_t epoch; /* 0: none did */
    json_t *files;  /* owned; as the index has them */
};

/** 0 also when there are none: ERR_TRANSIENT is all that can go wrong. */
MUST_USE int far_find(const char *store, const char *job_id,
                      struct far_artifacts *out_found, struct err *err);
void far_clear(struct far_artifacts *found);
UNUSED static inline void far_artifacts_freep(struct far_artifacts *found)
{
    far_clear(found);
}

/** Tell of each file, by step and then by path. ERR_USER: none can be so. */
MUST_USE int far_each(const struct far_artifacts *found, artifacts_file_fn *fn,
                      void *arg, struct err *err);

/** One of them into the file `fd`. ERR_USER: there is none. */
MUST_USE int far_get(const char *store, const char *job_id, const char *path,
                     int fd, struct err *err);
/** All of them below `dir`. */
MUST_USE int far_save(const char *store, const char *job_id, const char *dir,
                      struct err *err);

#endif
