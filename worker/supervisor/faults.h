/* worker/supervisor/faults.h - whether sandboxes work on this host at all. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_FAULTS_H
#define WORKER_SUPERVISOR_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A host on which every sandbox fails at once is always idle: it would take
 * all jobs of the pool, and use up their retries. So after FAULTS_IN_A_ROW jobs
 * that got none, no job is taken for FAULTS_PAUSE_MS; then one is, on trial. If
 * it gets none either, the next pause is twice as long, FAULTS_MAX_PAUSE_MS at
 * most.
 */
#define FAULTS_IN_A_ROW     3
#define FAULTS_PAUSE_MS     10000
#define FAULTS_MAX_PAUSE_MS 300000

/** Start zeroed. */
struct faults {
    unsigned in_a_row;
    int64_t pause_ms;      /* the last one; 0: none yet */
    int64_t until_mono_ms; /* no job is taken before */
    const void *trial; /* who is on trial; compared, no more; NULL: nobody */
    char refuses[128]; /* why jobs are not taken as usual; "": they are */
};

/** A job ended for want of a sandbox: `message` says why. Logs a pause. */
void faults_failed(struct faults *faults, const char *message,
                   int64_t now_mono_ms);
/** A job has a sandbox in which something runs: all is well. */
void faults_worked(struct faults *faults);

/** Whether a job may be taken now. */
bool faults_allow(const struct faults *faults, int64_t now_mono_ms);
/** `job` was taken: while jobs are not taken as usual it is on trial. */
void faults_took(struct faults *faults, const void *job);
/** It is over: if that told us nothing, another is tried. */
void faults_over(struct faults *faults, const void *job);

#endif
