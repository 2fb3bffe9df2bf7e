/* pipelines/load.h - from tree to pipeline; for pipelines alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_LOAD_H
#define PIPELINES_LOAD_H

#include "base/yaml_tree.h"
#include "pipelines/pipeline.h"

#define LOAD_MAX_STEPS       100
#define LOAD_MAX_COMMANDS    100
#define LOAD_MAX_ENV         200
#define LOAD_MAX_NAME        200   /* characters */
#define LOAD_MAX_DESCRIPTION 2000  /* characters */
#define LOAD_MAX_VALUE       32000 /* characters of an environment value */
#define LOAD_MAX_PATH        1024  /* characters */
#define LOAD_MAX_RETRIES     10
#define LOAD_MAX_TIMEOUT_MS  ((int64_t)7 * 24 * 3600 * 1000)

/* More errors than anybody reads, found at a cost that grows with them. */
#define LOAD_MAX_REPORTS 1000

/* One document on its way. Errors do not stop it, so that all are found. */
struct loader {
    const struct yaml_tree *tree; /* borrowed */
    yaml_error_fn *on_error;
    void *arg;                 /* for on_error */
    bool failed;               /* something was reported */
    unsigned reports;          /* how often; bounded by LOAD_MAX_REPORTS */
    struct pipeline *pipeline; /* borrowed; being filled */
    const char *const *named;  /* the name that each step was given, or NULL */
};

typedef void load_fn(struct loader *l, const struct yaml_node *value,
                     void *target);

/* One key of a mapping. */
struct key_rule {
    const char *key;
    load_fn *load;
    bool required;
    unsigned kinds; /* of step, as bits; 0: any */
};

/* A word that other tools use, and what to do about it here. */
struct foreign_word {
    const char *word;
    const char *advice;
};

struct map_rules {
    const char *what; /* "a step" */
    const struct key_rule *keys;
    size_t key_count;
    const struct foreign_word *foreign;
    size_t foreign_count;
};

/* Whether there were so many errors that no more are looked for. */
bool load_is_hopeless(const struct loader *l);

/* Report at a node. */
void load_fail(struct loader *l, const struct yaml_node *node, const char *hint,
               const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Report at byte `offset` of a scalar's text. */
void load_fail_inside(struct loader *l, const struct yaml_node *node,
                      size_t offset, const char *hint, const char *fmt, ...)
    PRINTF_LIKE(5, 6);

/*
 * Load a mapping by its table, whose functions get `target`. `kind` is the
 * step's bit, or 0. What is not a mapping is reported.
 */
void load_map(struct loader *l, const struct yaml_node *node,
              const struct map_rules *rules, unsigned kind, void *target);

/* False, having reported: not a string of 1 to `max` characters. */
bool load_is_string(struct loader *l, const struct yaml_node *node, size_t max);
/* The same, on one line, of more than spaces, without control characters. */
bool load_is_line(struct loader *l, const struct yaml_node *node, size_t max);
/* False, having reported: not true or false. */
bool load_bool(struct loader *l, const struct yaml_node *node, bool *out);
/* False, having reported: not a whole number within the limits. */
bool load_whole(struct loader *l, const struct yaml_node *node, int min,
                int max, int *out);
/* False, having reported: not one of `words`, which ends with NULL. */
bool load_word(struct loader *l, const struct yaml_node *node,
               const char *const *words, size_t *out);
bool load_duration(struct loader *l, const struct yaml_node *node,
                   int64_t *out_ms);
void load_env(struct loader *l, const struct yaml_node *node,
              struct env_list *out);

/* Check the ${{ }} in a scalar. */
void load_template(struct loader *l, const struct yaml_node *node);
/* An `if`: its text without ${{ }}, owned by the caller; NULL: reported. */
MUST_USE char *load_condition(struct loader *l, const struct yaml_node *node);

/* `instance_type`, named or custom, into the pipeline. */
load_fn load_instance_type;
/* `steps`, into the pipeline. */
load_fn load_steps;
/* The whole document, into `l->pipeline`. */
void load_pipeline(struct loader *l);

/* The shells of `shell`, and the reasons of `retry.when`, NULL at the end. */
extern const char *const load_shells[];
extern const char *const load_retry_reasons[];

void env_list_clear(struct env_list *env);

#endif
