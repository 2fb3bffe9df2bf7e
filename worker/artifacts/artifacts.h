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
 *   <index of the step>/  the files, by their paths in the workspace
 *
 * What they hold, and their names, are a stranger's. The functions allow for
 * others that do the same, and for being killed at any moment.
 */

#define ARTIFACTS_MAX_FILES 10000u              /* of a job */
#define ARTIFACTS_MAX_BYTES ((uint64_t)4 << 30) /* the same */

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

/** `path` is borrowed. Return false to go no further. */
typedef bool artifacts_file_fn(void *arg, const char *path,
                               uint64_t size_bytes);
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

/** Remove what has expired at `now_ms` (wall clock). Counts the jobs. */
MUST_USE int artifacts_expire(int64_t now_ms, unsigned *out_removed,
                              struct err *err);

#endif
