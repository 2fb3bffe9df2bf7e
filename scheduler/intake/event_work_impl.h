/* scheduler/intake/event_work_impl.h - what the files of event_work share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_INTAKE_EVENT_WORK_IMPL_H
#define SCHEDULER_INTAKE_EVENT_WORK_IMPL_H

#include "base/strbuf.h"
#include "scheduler/forge/protocol.h"
#include "scheduler/intake/event_job.h"
#include "scheduler/intake/event_work.h"
#include "scheduler/intake/repo_file.h"
#include "scheduler/queue/change.h"
#include "scheduler/queue/seen.h"

/** What a stage says. */
enum event_next {
    EVENT_GO_ON, /* to the next */
    EVENT_WAIT,  /* something was asked: the stage is called again */
    EVENT_OVER,  /* event_work_end() was called */
};

/** What was asked of somebody, and what came of it. */
struct event_asked {
    bool waiting, answered;
    struct forge_call *call; /* borrowed; NULL: not a host's */
    enum forge_error error;
    json_t *body;      /* owned; of FORGE_OK */
    struct err err;    /* for people, of all else */
    int64_t after_ms;  /* of FORGE_PAUSED */
    const char *about; /* the op; static */
};

struct event_work {
    const struct event_work_options *options; /* borrowed */
    const struct event_host *host;            /* borrowed; NULL: not known */
    char *key, *forge, *name, *body;          /* owned; of the delivery */
    size_t len;
    unsigned replays;
    bool is_late;   /* what is away now is away for good */
    bool is_repeat; /* it was tried before */
    int64_t now_ms;
    event_work_fn *fn;
    void *arg;
    struct loop_source *timer; /* borrowed; the next step */
    size_t stage;

    struct event *event;  /* owned */
    enum event_kind as;   /* which kind of event it counts as */
    struct strv explicit; /* pipelines that were asked for by name */
    char *job;            /* owned; that is to be run again, or NULL */
    const char *approved; /* its commit begins so; borrowed from the event */
    bool by_permission;   /* who asks must be allowed to write */
    bool wants_change;    /* the host is to be asked about it */
    bool wants_triggers;  /* pipelines are those of triggers */
    bool wants_cancel, wants_retry;
    bool wants_none; /* nothing, if the commit has a job */
    bool fork;

    struct event_asked asked;
    bool trusts;               /* the actor may write */
    char *username, *password; /* owned; or NULL */
    struct event_words paths;  /* of the change; in the event's arena */
    bool has_paths, looked_for_paths;

    struct queue_change_jobs_list {
        struct strv ids;
        size_t next, did;
        bool read;
        bool of_any; /* also of others than the event's change */
        bool known;  /* one is of the event's commit */
    } jobs;          /* to be ended, or run again */

    struct repo_reading *reader; /* owned */
    bool files_read;
    struct strv paths_read, texts; /* of .berth/; the same number */
    char *read_at;                 /* owned; the commit; or NULL */
    struct admit_known known;      /* those files; borrows */
    struct strv pipelines;         /* that are to run */
    json_t *previous;  /* owned; of each pipeline the last review, or null */
    bool is_old;       /* the commit is not the change's head any more */
    int64_t as_of_ms;  /* of its jobs (submit.h) */
    bool is_overtaken; /* by jobs of another commit */
    size_t pipeline;   /* the one that is at work */
    struct admission *admission; /* owned */
    struct strbuf made;          /* ids */
    struct strbuf faults;        /* what went wrong, for people */
    struct event_invalid {
        struct strv pipelines, texts; /* the same number */
        size_t told;
    } invalid;       /* pipelines that are wrong */
    const char *why; /* no trigger fits; static */
};

/** Tell the caller; the work is not to be touched afterwards. EVENT_OVER. */
enum event_next event_work_end(struct event_work *work,
                               enum event_outcome outcome, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/** Something is away: again later, or if that was long enough, failed. */
enum event_next event_work_away(struct event_work *work, int64_t after_ms,
                                const char *why);
/** The host tells of another state of the change than the delivery: for good,
 * if it still does when that is tried again. A command is tried on. */
enum event_next event_work_overtaken(struct event_work *work, const char *why);
/** The stage is called again, from the loop. */
void event_work_step(struct event_work *work);
/** What went wrong with one of several things. */
void event_work_fault(struct event_work *work, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

/**
 * A pipeline of the commit is wrong, for `why`: every error with its place. It
 * is a fault, whose first line says enough, and the host is told. Once a
 * pipeline.
 */
void event_work_invalid(struct event_work *work, const char *pipeline,
                        const char *why);

/** Forget the answer, to ask something else; wiped. */
void event_asked_clear(struct event_asked *asked);
/**
 * Ask the host, or look at its answer: EVENT_WAIT, or EVENT_GO_ON with it in
 * `asked`. Who cannot be asked has refused. `body` is taken, and may be built
 * in vain.
 */
enum event_next event_work_ask(struct event_work *work, const char *op,
                               json_t *body);

/** Stages, in this order (event_work.c); one that has nothing to do goes on. */
typedef enum event_next event_stage(struct event_work *work);
event_stage event_stage_find_job, event_stage_list_jobs, event_stage_each_job;
event_stage event_stage_read_files, event_stage_choose, event_stage_previous;
event_stage event_stage_head, event_stage_make, event_stage_invalid;

#endif
