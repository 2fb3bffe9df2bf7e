/* worker/artifacts/artifacts.h - files that jobs leave, on this host. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_ARTIFACTS_ARTIFACTS_H
#define WORKER_ARTIFACTS_ARTIFACTS_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * <state directory>/artifacts/<job id>-<epoch>/     0700, as all of it
 *   expires               when it may go: milliseconds since 1970
 *   unsent                is there: a store is to have it (sender.h)
 *   <index of the step>/  the files, by their paths in the workspace
 *
 * What they hold, and their names, are a stranger's. The functions allow for
 * others that do the same, and for being killed at any moment.
 */

#define ARTIFACTS_MAX_FILES 10000u              /* of a job */
#define ARTIFACTS_MAX_BYTES ((uint64_t)4 << 30) /* the same, unless told */
#define ARTIFACTS_MAX_STEPS 100

/** A worker tells its run-jobs what artifacts.max_bytes is. */
#define ARTIFACTS_MAX_VARIABLE "BERTH_ARTIFACTS_MAX_BYTES"
uint64_t artifacts_max_bytes(void);

/**
 * Make the empty directory for what a step leaves; of an earlier attempt of
 * that step nothing stays. The job's artifacts are kept until the latest
 * `expires_at_ms` of its steps. Owned by the caller. ERR_TRANSIENT.
 */
MUST_USE int artifacts_make(const char *job_id, uint64_t epoch, unsigned step,
                            int64_t expires_at_ms, char **out_dir,
                            struct err *err);

/** Of a job: the epoch of its last attempt that left any; 0: none. */
MUST_USE int artifacts_last_epoch(const char *job_id, uint64_t *out_epoch,
                                  struct err *err);

struct artifact_file {
    unsigned step;    /* its index */
    const char *path; /* borrowed; in the workspace */
    uint64_t bytes;
};
/** Return false to go no further. */
typedef bool artifacts_file_fn(void *arg, const struct artifact_file *file);
/**
 * Tell of each file, by step and then by path; links are left out. ERR_USER
 * when the job left none.
 */
MUST_USE int artifacts_list(const char *job_id, uint64_t epoch,
                            artifacts_file_fn *fn, void *arg, struct err *err);

/**
 * Open a file for reading; of several steps' the last one's. No link is
 * followed. The descriptor is the caller's. ERR_USER when there is none.
 */
MUST_USE int artifacts_open(const char *job_id, uint64_t epoch,
                            const char *path, int *out_fd, struct err *err);

/** The same of one step's. */
MUST_USE int artifacts_open_step(const char *job_id, uint64_t epoch,
                                 const struct artifact_file *file, int *out_fd,
                                 struct err *err);

/** Is it a path that a file in a workspace can have, below any directory? */
bool artifacts_path_ok(const char *path);
/**
 * Create or empty the file `path`, which is such a one, below `dir`, which is
 * trusted, with the directories on the way. The descriptor is the caller's.
 * ERR_USER.
 */
MUST_USE int artifacts_create(const char *dir, const char *path, int *out_fd,
                              struct err *err);

/** Its directory; owned by the caller. It need not be there. ERR_USER. */
MUST_USE int artifacts_dir(const char *job_id, uint64_t epoch, char **out_dir,
                           struct err *err);
/** When that directory may go; 0: nobody knows. */
int64_t artifacts_expire_at(const char *dir);
/** Note that a store is to have them. ERR_TRANSIENT. */
MUST_USE int artifacts_mark(const char *job_id, uint64_t epoch,
                            struct err *err);
/** Return false to go no further. */
typedef bool artifacts_job_fn(void *arg, const char *job_id, uint64_t epoch);
/** Tell of all jobs that were marked and not removed since. */
MUST_USE int artifacts_marked(artifacts_job_fn *fn, void *arg, struct err *err);

/** Remove what has expired at `now_ms` (wall clock). Counts the jobs. */
MUST_USE int artifacts_expire(int64_t now_ms, unsigned *out_removed,
                              struct err *err);

#endif
