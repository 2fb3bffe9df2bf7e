/* scheduler/queue/report.h - jobs that a Git host is to be told of. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_REPORT_H
#define SCHEDULER_QUEUE_REPORT_H

#include "scheduler/queue/control.h"

#include <jansson.h>

/*
 * A job with a `report` (schemas/job.schema.json) is due with each change of
 * its state, in the script that makes the change; the single jobs of a run are
 * not. Whoever tells the host takes the job as it is then, and holds its kind
 * of host meanwhile: one report a host at a time, whatever number of schedulers
 * there are, and none of a host waits for another's. A hold that is not renewed
 * ends, and its job is due as before: so a host may be told twice, and never
 * not at all.
 */

/** Kinds of hosts that are held apart: of each forge, and "other". */
#define QUEUE_REPORT_HOSTS     4
#define QUEUE_REPORT_NONCE     33 /* bytes */
#define QUEUE_REPORT_HOST      16
#define QUEUE_MAX_POSTED       5000 /* findings of a change */
#define QUEUE_MAX_REPORT_ERROR 1000 /* bytes kept of what a host said */
/** Their names, as of forge_name(); the last is "other". */
extern const char *const queue_report_hosts[QUEUE_REPORT_HOSTS];

/** A job as it is now. */
struct queue_report {
    char host[QUEUE_REPORT_HOST];
    char id[QUEUE_MAX_ID + 1];
    char *state; /* owned, as all here; never NULL, "" for none */
    char *pipeline, *reason;
    bool is_run;
    json_t *report; /* an object */
    json_t *result; /* of the last attempt; NULL: there is none */
    json_t *posted; /* of its change: fingerprint to word (forge/protocol.h) */
    bool latest;    /* no younger job of its change and pipeline is there */
    uint64_t revision, epoch;
    unsigned tries; /* in a row that failed */
    int64_t submitted_at_ms, started_at_ms, ended_at_ms;
};
void queue_report_free(struct queue_report *report);
OWNER(queue_report)

struct queue_report_hold {
    const char *scheduler; /* its name */
    const char *nonce; /* 32 hexadecimal digits; the same again, if it is not
                          known what became of the call */
    int64_t hold_ms;
};

/** `report` is the callee's; NULL without `err`: nothing is due. */
typedef void queue_report_fn(void *arg, struct queue_report *report,
                             const struct err *err);
/**
 * Take the first job that is due of the first of `hosts` that is neither held
 * nor paused (report_take.lua). With a '-' before its name: one that we cannot
 * tell; there is nothing to take while somebody else asks for it who can.
 */
void queue_report_take(struct queue *queue,
                       const struct queue_report_hold *hold,
                       const char *const *hosts, size_t count,
                       queue_report_fn *fn, void *arg);

/** Hold for longer (report_renew.lua). ERR_LOST: it was lost. */
void queue_report_renew(struct queue *queue, const char *host,
                        const char *nonce, int64_t hold_ms, queue_done_fn *fn,
                        void *arg);

enum queue_report_end {
    QUEUE_REPORT_DONE,     /* due again only if it changed meanwhile */
    QUEUE_REPORT_AGAIN,    /* later: each time later */
    QUEUE_REPORT_UNSERVED, /* we cannot tell that host, and saw nobody who can:
                              later; refused when none comes for an hour */
    QUEUE_REPORT_PAUSED,   /* nobody tells this kind of host, for after_ms */
    QUEUE_REPORT_REFUSED,  /* until it changes, or queue_report_again() */
    QUEUE_REPORT_RELEASED, /* nobody knows: at once, by anybody */
};

/** All borrowed during the call. */
struct queue_report_outcome {
    enum queue_report_end end;
    const char *message;  /* what the host said; NULL: nothing */
    int64_t after_ms;     /* of a pause; a day at most */
    const char *notes;    /* NULL: none */
    const json_t *posted; /* of the change now; NULL: as before */
    unsigned comments, resolved;
};

/**
 * Say what became of it, and let the host go (report_done.lua). ERR_LOST: it
 * was not held any more, and the job is told again.
 */
void queue_report_done(struct queue *queue, const char *host, const char *nonce,
                       const struct queue_report_outcome *outcome,
                       queue_done_fn *fn, void *arg);

/** A job that cannot be made; all borrowed during the call. */
struct queue_invalid {
    const char *id;       /* always the same for the same fault */
    const char *repo;     /* its address */
    const char *pipeline; /* its name */
    const char *report;   /* JSON: where it is told */
    const char *about;    /* JSON, for people */
    const char *message;  /* what is wrong: every error with its place */
};

/**
 * Keep it as a job that failed, `pipeline_invalid`, so that its Git host is
 * told like of any other (invalid.lua). One that is there already is told
 * again.
 */
void queue_report_invalid(struct queue *queue,
                          const struct queue_invalid *invalid,
                          queue_done_fn *fn, void *arg);

/** `result` borrowed, NULL: there is none. */
typedef void queue_result_fn(void *arg, const json_t *result,
                             const struct err *err);
/** The result of job `index` (from 0) of a run. */
void queue_run_result(struct queue *queue, const char *run, size_t index,
                      queue_result_fn *fn, void *arg);

/* ---- for people; these block ------------------------------------------------
 */

/**
 * What became of the report of a job (report_look.lua): an object with now_ms,
 * `report`, `state` ("waiting", "posting", "refused", "told") and what is there
 * of revision, told (a revision), tries, comments, resolved, told_at_ms,
 * error_at_ms, next_at_ms, refused_at_ms, paused_ms, error, notes, pause.
 * NULL: the job has none. ERR_USER: there is no such job. json_decref().
 */
MUST_USE int queue_report_look(struct queue *queue, const char *id,
                               json_t **out_look, struct err *err);

/**
 * Tell the host of a job at once, whatever became of its report
 * (report_again.lua). ERR_USER: no such job, or it has none.
 */
MUST_USE int queue_report_again(struct queue *queue, const char *id,
                                struct err *err);

/**
 * Jobs whose hosts refused, the last first: an array of objects with id,
 * refused_at_ms, report, pipeline, state, error. json_decref().
 */
MUST_USE int queue_unreported(struct queue *queue, unsigned limit,
                              json_t **out_rows, struct err *err);

#endif
