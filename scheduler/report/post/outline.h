/* scheduler/report/post/outline.h - which comments a change is to have. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_REPORT_POST_OUTLINE_H
#define SCHEDULER_REPORT_POST_OUTLINE_H

#include "pipelines/findings/comment.h"
#include "scheduler/forge/api/driver.h"

/*
 * Made from what there is to say, what stands on the host, and what was there
 * before: made again after any part of it was done, it is the rest of it.
 */

enum outline_kind {
    OUTLINE_ROW,    /* has no comment: it is listed in the summary */
    OUTLINE_POST,   /* is to get one */
    OUTLINE_EDIT,   /* its comment says something else */
    OUTLINE_KEEP,   /* its comment stands */
    OUTLINE_RAISE,  /* it was fixed, and is back: its thread is to be opened */
    OUTLINE_SILENT, /* somebody else resolved or removed its comment: never
                    again; or another finding has its fingerprint */
};

/** One for each finding, in their order. */
struct outline_item {
    enum outline_kind kind;
    struct remark remark;
    const struct forge_comment *comment; /* of EDIT, KEEP and RAISE */
    char *body; /* of all that have a comment, or get one; owned */
};

/** A comment that says what is not so any more, or what another one says. */
struct outline_stale {
    const struct forge_comment *comment; /* borrowed */
    char *left; /* owned; its body without us, as another pipeline finds it
                   still; NULL: it is to be closed */
};

struct outline {
    struct arena *arena;             /* owned */
    const struct findings *findings; /* borrowed */
    struct outline_item *items;      /* owned */
    size_t count;
    size_t *order;               /* owned; places in `items`, the worst first */
    struct outline_stale *stale; /* owned; open, with no finding */
    size_t stale_count;
};

/** Place all findings: `items` has remarks then, and each is a row. */
MUST_USE struct outline *outline_new(const struct findings *findings,
                                     const struct diff *diff);

struct outline_spec {
    const struct forge_comments *comments; /* ours, that are there */
    const json_t *posted;                  /* of outline_posted() */
    struct comment_style style;
    bool can_raise;      /* threads can be opened again; else a new comment */
    size_t max_comments; /* open ones, those that are there among them */
};
/** Decide. What it points to must outlive the outline. */
void outline_decide(struct outline *outline, const struct outline_spec *spec);

void outline_free(struct outline *outline);
OWNER(outline)

/**
 * What is known of all fingerprints: `posted`, and what stands on the host, by
 * the words of forge/protocol.h. A comment that was open and is not there any
 * more is "gone". One that we resolved, or that says that it is fixed, is
 * "fixed": where the host does not tell who resolved it, if `posted` says so.
 * New.
 */
MUST_USE json_t *outline_posted(const json_t *posted,
                                const struct forge_comments *comments);

#endif
