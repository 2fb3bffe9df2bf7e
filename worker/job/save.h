/* worker/job/save.h - put into the cache what a step made, beside the job. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_SAVE_H
#define WORKER_JOB_SAVE_H

#include "base/strbuf.h"
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

/** All borrowed, for the duration of the call, but for `cache` and `meta`. */
struct save_made {
    struct cache *cache; /* must outlive the save */
    struct cache_name name;
    json_t *meta;      /* taken; gets digest, bytes, files */
    const char *label; /* what the job calls it */
};

/**
 * The same for what is in root/ of a stage already, and only has to be read.
 * `stage` is taken in every case.
 */
MUST_USE int save_start_made(const struct save_made *made,
                             struct cache_entry *stage, struct save **out_save,
                             struct err *err);

/**
 * What the job's log may say of a failure: nothing of the host, of which the
 * worker's own log has it then. Borrowed from `err`, or static.
 */
const char *save_why(const struct err *err);

/**
 * Wait for its end, `timeout_ms` at most (then it is killed), and give what it
 * made its place. Frees `save` in every case. `out_note` is what the job's log
 * is to say of it, if anything. ERR_USER: it cannot be kept, and why;
 * ERR_TRANSIENT: it was not.
 */
int save_finish(struct save *save, int64_t timeout_ms, struct strbuf *out_note,
                struct err *err);

#endif
