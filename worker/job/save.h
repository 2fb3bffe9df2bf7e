/* worker/job/save.h - put into the cache what a step made, beside the job. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_SAVE_H
#define WORKER_JOB_SAVE_H

#include "worker/cache/store.h"

struct save;

/** All borrowed, for the duration of the call, but for `cache` and `meta`. */
struct save_spec {
    struct cache *cache; /* must outlive the save */
    struct cache_name name;
    json_t *meta;        /* taken; gets digest, bytes, files */
    int workspace, home; /* what was written: sandbox_driver.frozen */
    unsigned uid;        /* who is to own it */
    uint64_t max_bytes;
    const char *dir; /* below which node_modules are taken, relative */
};

/** Start the program `cache` (worker/cache/helper.h). ERR_TRANSIENT. */
MUST_USE int save_start(const struct save_spec *spec, struct save **out_save,
                        struct err *err);

/**
 * Wait for its end, `timeout_ms` at most (then it is killed), and give what it
 * made its place. Frees `save` in every case. ERR_USER: it cannot be kept, and
 * why; ERR_TRANSIENT: it was not.
 */
int save_finish(struct save *save, int64_t timeout_ms, struct err *err);

#endif
