/* pipelines/review/review.h - a review by a model, as questions and answers. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_REVIEW_REVIEW_H
#define PIPELINES_REVIEW_REVIEW_H

#include "base/strbuf.h"
#include "pipelines/diff/diff.h"
#include "pipelines/findings/findings.h"
#include "pipelines/review/skip.h"

/*
 * Pure: whoever has one asks a model what review_ask() says, one question after
 * the other, and gives the answers back, until there is nothing to ask. A
 * change is asked about in chunks that the model has room for; an answer that
 * is not what was asked for is asked for once more; then, unless that is not
 * wanted, the model is asked to refute what it found, not knowing that it did.
 */
struct review;

#define REVIEW_MAX_CHUNKS   64u
#define REVIEW_MAX_ANSWER   ((size_t)1 << 20)
#define REVIEW_MAX_FINDINGS 200u /* before they are refuted */

/** All borrowed until review_free(); strings may be NULL for "". */
struct review_options {
    const char *task;  /* what to look for, from a trusted author */
    const char *rules; /* the project's own, of the base branch */
    /* Of whoever wrote the change: data, never instructions. */
    const char *title, *description, *commits;
    /* Patterns (base/glob.h) of files to look at, `!` in front of those not
     * to; the last that fits decides. None: all. */
    const struct strv *paths;
    const struct skip_base *base; /* of the change; NULL: not known */
    /* What an earlier review found and is still open: not to be said again. */
    const struct findings *earlier;
    enum finding_severity min_severity;
    size_t max_findings;   /* in the end; the worst stay */
    size_t max_prompt;     /* bytes of a question; at least 4 KiB */
    double min_confidence; /* 0 to 1 */
    bool verify;
    bool whole; /* all of a repository's files, not a change */
    /* 16 or more letters and digits that nobody can guess: what fences data. */
    const char *nonce;
};

/** `diff` is borrowed until review_free(). Owned by the caller. */
MUST_USE struct review *review_new(const struct review_options *options,
                                   const struct diff *diff);
void review_free(struct review *review);
OWNER(review)

/**
 * The next question, the same until it is answered; borrowed until then.
 * NULL: there is none any more, the findings are there.
 */
const char *review_ask(struct review *review);
/** What it is about, for people: "part 2 of 3", "verifying 4 findings". */
const char *review_label(const struct review *review);

/**
 * What the model answered, of any bytes; NULL: nothing of use. 0: it was
 * understood, or will be asked for again. -1 and ERR_USER: it was not for the
 * second time; that part of the change counts as not reviewed, and the review
 * goes on.
 */
MUST_USE int review_answer(struct review *review, const char *text, size_t len,
                           struct err *err);

/** What became of it; of use once review_ask() is NULL. */
struct review_counts {
    size_t files;      /* that were looked at */
    size_t left_out;   /* files that were not, by rule or for want of room */
    size_t unseen;     /* lines of these that had no room, or not all of them */
    size_t chunks;     /* questions that the change took */
    size_t failed;     /* chunks without an answer of use */
    size_t found;      /* by the model, in all */
    size_t misplaced;  /* at lines that are not there: dropped */
    size_t moved;      /* to where the code is that they quote */
    size_t refuted;    /* dropped */
    size_t unverified; /* kept, for the second pass gave no answer of use */
    size_t repeated;   /* said twice, or known from before: dropped */
    size_t minor;      /* below severity or confidence: dropped */
    size_t beyond;     /* max_findings: dropped */
};

/** Borrowed. */
const struct findings *review_findings(const struct review *review);
const struct review_counts *review_counts(const struct review *review);

/** How many files were not looked at, by why ("lock file"; static). */
struct review_reason {
    const char *why;
    size_t files;
};
#define REVIEW_MAX_REASONS 16u
/** Returns how many reasons there are; the rarest is the first. */
size_t review_reasons(const struct review *review,
                      struct review_reason out[REVIEW_MAX_REASONS]);
/**
 * What was not looked at and why, a line each, in the order of the reasons:
 * "yarn.lock: lock file".
 */
void review_left_out(const struct review *review, struct strbuf *out);

#endif
