/* worker/artifacts/program.h - what the program artifact-store is asked. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_ARTIFACTS_PROGRAM_H
#define WORKER_ARTIFACTS_PROGRAM_H

#include <stddef.h>

/*
 *   artifact-store put STORE JOB EPOCH    bring them from this host, where they
 *                                         go when the store has all
 *   artifact-store resend STORE           the same of all that are marked
 *   artifact-store expire STORE           remove those whose time is over;
 *                                         writes of how many jobs
 *   artifact-store list STORE JOB         the epoch of the last attempt that
 *                                         left any, and a line of JSON a file,
 *                                         as index.h has them
 *   artifact-store get STORE JOB PATH     of the last attempt, to descriptor 3,
 *                                         which is a file
 *   artifact-store save STORE JOB DIR     all of them, below DIR
 *
 * STORE is "s3://…" (base/s3_url.h), and BERTH_STATE_DIR where this host has
 * its own. It exits with 0, with PROGRAM_NONE where there is nothing of the
 * kind (ERR_USER), or with 1; then the last line of its output is the reason.
 */
#define ARTIFACT_PROGRAM      "artifact-store"
#define ARTIFACT_PROGRAM_FD   3
#define ARTIFACT_PROGRAM_NONE 3

#endif
