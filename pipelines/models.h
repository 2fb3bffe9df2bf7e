/* pipelines/models.h - the models that a worker knows. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_MODELS_H
#define PIPELINES_MODELS_H

#include "base/yaml_tree.h"
#include "pipelines/pipeline.h"

#define MODELS_MAX        50
#define MODELS_MAX_ALLOW  100
#define MODELS_MAX_TOKENS 100000000

/** An entry of `models` in the configuration. */
struct model_config {
    char *name;    /* owned, as all strings; no other has it */
    char *url;     /* http:// or https://, the address that ends with /v1 */
    char *dialect; /* "openai" or "anthropic" */
    char *key;     /* "file:/PATH", "env:NAME", or NULL: it wants none */
    char *id;      /* what the provider calls it, unless a step says another */
    struct strv allow;        /* what a step may ask for besides */
    uint64_t context, output; /* tokens; 0: not known */
    /* Millionths of a dollar for a million tokens. */
    struct {
        uint64_t input, output;
        uint64_t cached,
            written; /* read from the provider's cache, put there */
    } price;
    char *fallback; /* the name of another of the list; or NULL */
    char *ca;       /* a path; or NULL */
    struct model_budget budget, fork_budget; /* of a job */
    struct model_budget repository_budget;   /* of all jobs of a day and one */
    struct model_budget day_budget;          /* of all jobs of a day */
};

struct model_list {
    struct model_config *items; /* owned; NULL while there are none */
    size_t count;
};

/**
 * Load a list of models, a part of the document `tree`; docs/models.md has an
 * example. `node` NULL, or nothing: an empty list. No file is read. Returns 0
 * and `*out_list`, owned by the caller; -1 after all errors were reported.
 */
MUST_USE int model_list_load(const struct yaml_tree *tree,
                             const struct yaml_node *node,
                             yaml_error_fn *on_error, void *arg,
                             struct model_list **out_list);
void model_list_free(struct model_list *list);
OWNER(model_list)

/**
 * As a list for the supervisor (worker/supervisor/models.h): each as
 * worker/gateway/relay/protocol.h has it, "key" being where it is, and with all
 * four budgets. The caller's (json_decref).
 */
MUST_USE json_t *model_list_to_json(const struct model_list *list);

/** The one of that name ("": the first), or NULL. */
const struct model_config *model_list_find(const struct model_list *list,
                                           const char *name);

#endif
