/* pipelines/resolve.h - from a job document to the document that is run. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_RESOLVE_H
#define PIPELINES_RESOLVE_H

#include "pipelines/job.h"
#include "pipelines/plan.h"

/*
 * In three steps, of which the caller does the middle one: resolve_wants() says
 * what is to be read from the repository, if anything; somebody reads it; and
 * resolve_finish() makes the rest of it.
 *
 * A stranger does not choose what runs: of a fork's job the pipeline is read
 * from the base branch. `repo` has to be the repository that the change is
 * proposed to, as it is where changes have numbers: in his own copy the base
 * branch is the stranger's, too.
 */

/** Which file, of which commit. */
struct resolve_source {
    char *path; /* owned; from the top of the tree; NULL: nothing is wanted */
    /* The first that is there says which commit; none: HEAD. Borrowed. */
    const char *commit, *ref, *branch;
};

/**
 * What resolve_finish() is to be given. That `request` is without a commit may
 * stay so until then. ERR_USER: a fork's job names a pipeline of the
 * repository, but no base branch to read it from.
 */
MUST_USE int resolve_wants(const struct job_request *request,
                           struct resolve_source *out_source, struct err *err);
void resolve_source_clear(struct resolve_source *source);
UNUSED static inline void resolve_source_freep(struct resolve_source *source)
{
    resolve_source_clear(source);
}

/** The file that was wanted, as it was found. All borrowed. */
struct resolve_text {
    const char *file; /* for messages; its base name may name the pipeline */
    const char *text; /* `len` bytes of any kind */
    size_t len;
};

/** What a run is made of. Start zeroed. */
struct resolved {
    struct document *document; /* owned */
    struct plan_facts facts;   /* borrow from the request and `inputs` */
    json_t *inputs;            /* owned */
};

/**
 * Make the document: the text found, else (`found` NULL) the pipeline of that
 * name that ships, or the one in the request. Its labels are joined by those of
 * the request, whose concurrency takes the place of its own. The environment
 * is not in it: that of the request is plain text, and run-job gets it beside
 * the pipeline.
 *
 * `commit` of the request should be filled in by now: it goes into the facts.
 * What cannot be told before both are known is checked here: a checkout without
 * a repository; labels and groups that the facts, inputs among them, work out
 * to. Returns -1 with every error in `diags` (never empty then).
 */
MUST_USE int resolve_finish(const struct job_request *request,
                            const struct resolve_text *found,
                            struct diag_list *diags, struct resolved *out);
void resolved_clear(struct resolved *resolved);
UNUSED static inline void resolved_freep(struct resolved *resolved)
{
    resolved_clear(resolved);
}

#endif
