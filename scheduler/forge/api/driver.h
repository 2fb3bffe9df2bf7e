/* scheduler/forge/api/driver.h - what each Git host can be asked to do. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_API_DRIVER_H
#define SCHEDULER_FORGE_API_DRIVER_H

#include "pipelines/diff/diff.h"
#include "pipelines/diff/place.h"
#include "scheduler/forge/api/api.h"

/*
 * One table a host. All functions block, return 0, or -1 as api_send() does,
 * and leave nothing half-told: what was done is found again by its mark or id,
 * so that each may be called again after any failure.
 */

struct forge_target {
    const char *repo; /* owner/name */
    int64_t installation;
    int64_t change;     /* 0: none */
    const char *commit; /* the one that is reported on */
    const char *ref;    /* NULL, "": not known; a branch it was pushed to */
};

/** States of a check, in the order of its life. */
enum check_state {
    CHECK_QUEUED,
    CHECK_RUNNING,
    CHECK_PASSED,
    CHECK_FAILED,
    CHECK_CANCELLED,
    CHECK_SKIPPED,
    CHECK_TIMED_OUT,
};

/** A line or several that a check points at; texts are plain. */
struct check_annotation {
    const char *path;
    uint32_t line, end_line;     /* from 1 */
    uint32_t column, end_column; /* 0: none */
    int severity;                /* enum finding_severity */
    const char *title, *message;
};

struct forge_check {
    const char *name;        /* of the check, or the status' context */
    const char *external_id; /* the job's */
    enum check_state state;
    const char *title;   /* one line: "2 errors, 1 warning" */
    const char *summary; /* Markdown, ours */
    const char *url;     /* "": none */
    int64_t started_at_ms, ended_at_ms;
    const struct check_annotation *annotations;
    size_t annotation_count;
    bool offer_approve; /* "approve this commit", of a fork */
};

/** Who resolved a thread. */
enum forge_resolver {
    RESOLVER_UNKNOWN, /* the host does not say */
    RESOLVER_US,
    RESOLVER_OTHER,
};

/** An inline comment that is there. */
struct forge_comment {
    const char *id;          /* for edit and resolve */
    const char *thread;      /* the thread's or discussion's id */
    const char *fingerprint; /* of its mark */
    const char *pipelines;   /* marks after it: who finds it; "": none */
    const char *body;
    bool is_resolved;
    enum forge_resolver resolver; /* of is_resolved */
    bool is_outdated;             /* its line is not in the diff any more */
};

struct forge_comments {
    struct arena *arena; /* owned */
    struct forge_comment *items;
    size_t count;
    bool is_partial; /* there are more than could be listed */
};
void forge_comments_clear(struct forge_comments *comments);

/** One to be made. */
struct forge_remark {
    const struct diff_place *place; /* DIFF_INLINE */
    const char *body;               /* Markdown, with its mark */
    bool refused;                   /* out: the host does not take it there */
};

/** What a change is compared with: GitLab's diff_refs; else base and head. */
struct forge_diff {
    char *text; /* owned; unified */
    size_t len;
    bool truncated;
    char base_sha[65], start_sha[65], head_sha[65];
};
void forge_diff_clear(struct forge_diff *diff);

struct forge_driver {
    enum forge_kind kind;
    int suggestion;         /* enum suggestion_style of findings/comment.h */
    size_t max_body;        /* characters of a comment */
    size_t max_description; /* of a status */
    bool can_resolve;       /* threads */
    bool can_annotate;      /* checks, with the App */

    /* ---- reading (ops of protocol.h; `*out` is the op's answer) ---- */
    int (*token)(struct api *api, const struct forge_target *target,
                 json_t **out, struct err *err);
    int (*change)(struct api *api, const struct forge_target *target,
                  json_t **out, struct err *err);
    int (*paths)(struct api *api, const struct forge_target *target,
                 json_t **out, struct err *err);
    int (*permission)(struct api *api, const struct forge_target *target,
                      const char *login, json_t **out, struct err *err);
    int (*open_changes)(struct api *api, const struct forge_target *target,
                        json_t **out, struct err *err);
    /** NULL: the host keeps no list. */
    int (*missed)(struct api *api, int64_t since_ms, int64_t until_ms,
                  json_t **out, struct err *err);
    int (*diff)(struct api *api, const struct forge_target *target,
                struct forge_diff *out, struct err *err);

    /* ---- writing ---- */
    /**
     * Make the host show this check: create it, or change the one with the
     * name and external_id. A younger state is never replaced by an older one
     * of the same external_id. What is as wished already is not written.
     */
    int (*check)(struct api *api, const struct forge_target *target,
                 const struct forge_check *check, struct err *err);
    /** All inline comments of ours on the change, by their marks. */
    int (*comments)(struct api *api, const struct forge_target *target,
                    struct forge_comments *out, struct err *err);
    /**
     * Put these, in one review where the host has such a thing. One that the
     * host refuses is marked so, and does not keep the others.
     */
    int (*review)(struct api *api, const struct forge_target *target,
                  const struct forge_diff *diff, struct forge_remark *remarks,
                  size_t count, bool request_changes, struct err *err);
    int (*edit)(struct api *api, const struct forge_target *target,
                const struct forge_comment *comment, const char *body,
                struct err *err);
    /** Resolve a thread, or open it again. Where can_resolve; else NULL. */
    int (*resolve)(struct api *api, const struct forge_target *target,
                   const struct forge_comment *comment, bool resolved,
                   struct err *err);
};

extern const struct forge_driver forge_github, forge_gitlab, forge_gitea;
const struct forge_driver *forge_driver_of(enum forge_kind kind);

#endif
