/* worker/job/job_impl.h - a job that runs, for job.c and its end. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_JOB_IMPL_H
#define WORKER_JOB_JOB_IMPL_H

#include "worker/job/attempt.h"
#include "worker/job/caches.h"
#include "worker/job/expand.h"
#include "worker/job/job.h"
#include "worker/job/warm.h"

struct job {
    struct loop *loop;         /* owned */
    struct channel *up;        /* owned */
    struct job_start *start;   /* owned; NULL until its frame came */
    struct job_result *result; /* owned, as are the following */
    struct output *output;
    struct warm *warm; /* until the start frame came */
    struct machine *machine;
    struct throttle *throttle;
    struct backgrounds *backgrounds;
    struct caches *caches;
    struct grants *grants;
    struct models *models;
    struct attempt *attempt;
    struct err why_lost;
    struct expanded step; /* of the step that runs */
    size_t index;         /* of the step that runs, or comes next */
    int64_t step_started_mono_ms;
    struct loop_source *deadline; /* the supervisor's: die then */
    struct loop_source *timeout;  /* the pipeline's, then the clean-up's */
    bool over;         /* cancelled or out of time: only clean-up steps run */
    bool cancelled;    /* asked once */
    bool killed;       /* asked twice: nothing runs any more */
    bool lost;         /* the sandbox is dead */
    bool orphaned;     /* nobody is above us any more */
    bool kept;         /* something is new in the cache */
    bool saving;       /* all is over but what is kept of it */
    bool winding_down; /* only what ran in the background is still to end */
    struct loop_source *last_grace;
};

/* Whether the step may be tried again, having ended so. */
bool job_may_retry(const struct job *job, const struct attempt_end *end);
/* What the result is to say of the step that has ended. */
void job_note_end(struct job *job, const struct attempt_end *end);
/* Destroys all but the result and the output; -1 says what is left. */
int job_tear_down(struct job *job, struct err *err);
/* Why no job came: 0 if whoever would have brought one is gone. */
int job_missed(const struct job *job, struct err *err);
/* Frees what is left after job_tear_down(), but not `job` itself. */
void job_release(struct job *job);

#endif
