/* cli/batch_list.h - what berth batch is to ask about. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_BATCH_LIST_H
#define CLI_BATCH_LIST_H

#include "base/err.h"
#include "pipelines/diag.h"

#include <jansson.h>

#define BATCH_MAX      1000 /* entries */
#define BATCH_MAX_NAME 100

/** One question: a repository, or some paths of one. All owned. */
struct batch_entry {
    char *name;  /* [A-Za-z0-9._-]+, of files; no other has it */
    char *id;    /* of its job: made of all that is asked */
    json_t *job; /* its document (schemas/job.schema.json) */
};

struct batch_list {
    struct batch_entry *items;
    size_t count;
};

/**
 * Load a list; docs/reviews.md describes it. `file` names it in messages.
 * Returns -1 with all that is wrong in `diags`.
 */
MUST_USE int batch_list_load(const char *file, const char *text, size_t len,
                             struct diag_list *diags,
                             struct batch_list **out_list);
void batch_list_free(struct batch_list *list);
OWNER(batch_list)

#endif
