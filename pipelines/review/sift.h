/* pipelines/review/sift.h - which findings of a model are worth saying. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_REVIEW_SIFT_H
#define PIPELINES_REVIEW_SIFT_H

#include "pipelines/review/review.h"

/** A finding under consideration; it borrows from the list it was read into. */
struct candidate {
    struct finding finding;
    bool dropped;
};

/**
 * Put it where it belongs: at lines that the change shows, and that say what it
 * quotes; else to where that code is; else false: it is nowhere. Counts.
 */
bool sift_place(struct finding *finding, const struct diff *diff,
                struct review_counts *counts);

/**
 * Drop what is said twice (one file, the same or almost the same lines, and the
 * same category or words), what is known from `earlier` (the same words, or
 * lines and category), and what is below the options' severity and confidence.
 * Of two that are the same the graver stays.
 */
void sift_merge(struct candidate *items, size_t count,
                const struct review_options *options,
                struct review_counts *counts);

/** The worst first; what is beyond max_findings is dropped. */
void sift_cap(struct candidate *items, size_t count, size_t max,
              struct review_counts *counts);

/**
 * Read {"verdicts": [{"claim", "stands"}]} about `count` claims:
 * `out_stands[i]` of claim i + 1. ERR_USER: it is not that, or a claim has
 * none.
 */
MUST_USE int sift_verdicts(const char *text, size_t len, size_t count,
                           bool *out_stands, struct err *err);

#endif
