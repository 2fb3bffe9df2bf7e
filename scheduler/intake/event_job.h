/* scheduler/intake/event_job.h - from an event to a job document. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_INTAKE_EVENT_JOB_H
#define SCHEDULER_INTAKE_EVENT_JOB_H

#include "pipelines/trigger.h"
#include "scheduler/forge/event.h"

#include <jansson.h>

/*
 * Pure, no I/O. Of what a stranger wrote only a change's title and description
 * are in a document, for reviewers: no step sees them.
 */

/** Whether pipelines can be run because of an event of this kind. */
bool event_runs(enum event_kind kind);

/** Whether a trigger is about such events at all. */
bool event_concerns(enum event_kind as, const struct trigger *trigger);

/**
 * Whether a trigger fits. `as`: which kind of event counts, in place of the
 * event's own, as when a change is to be run again. `paths` NULL: not known.
 */
enum trigger_verdict event_fits(const struct event *event, enum event_kind as,
                                bool fork, const struct event_words *paths,
                                const struct trigger *trigger,
                                const char **out_why);

/** What a job document is made for; all borrowed. */
struct event_job {
    const struct event *event;
    const char *pipeline; /* as a job document names it */
    const char *key;      /* of the delivery */
    unsigned replays;     /* of it */
    bool fork;
    bool is_old; /* not the change's head any more: its check is told, and it
                    is no job of the change's, whose jobs it must not end */
    const json_t *previous; /* of the last review; NULL or null: none */
};

/**
 * The id of its job, always the same for the same job: so what was killed
 * midway makes none twice. Owned by the caller.
 */
MUST_USE char *event_job_id(const struct event_job *job);

/** An id for the pipeline that follows from `whole`; owned by the caller. */
MUST_USE char *event_id_from(const char *pipeline, const char *whole);

/**
 * Where it is told, as in its document; new. `is_old`: "former" is the change,
 * which nobody reads but who runs the job again.
 */
MUST_USE json_t *event_job_report(const struct event_job *job);

/** The document, JSON. Owned by the caller. */
MUST_USE char *event_job_document(const struct event_job *job);

/**
 * The name of the pipeline in .berth/: "test" for .berth/test.yml, else the
 * path. Owned by the caller.
 */
MUST_USE char *event_pipeline_name(const char *path);

/**
 * Fill in what FORGE_OP_CHANGE answered (protocol.h): all but the commit, if
 * the event has one. Clone addresses are as git_is_clone_url() wants them.
 * ERR_USER: the answer makes no sense; the event may be half-filled then.
 */
MUST_USE int event_take_change(struct event *event, const json_t *answer,
                               const char *base_url, struct err *err);

/**
 * The delivery that berth makes itself of an open change whose host sent
 * nothing: `event_name` EVENT_FOUND. The body is {"repo", "installation",
 * "change": as FORGE_OP_OPEN_CHANGES has it}.
 */
#define EVENT_FOUND "berth.open_change"
MUST_USE int event_read_found(enum forge_kind forge, const char *body,
                              size_t len, const char *base_url,
                              struct event **out_event, struct err *err);
/** Its key (QUEUE_DELIVERY_KEY), of repository, number and commit. */
void event_found_key(enum forge_kind forge, const char *repo, int64_t change,
                     const char *sha, char out[65]);

#endif
