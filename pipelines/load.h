/* pipelines/load.h - from tree to pipeline; for pipelines alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_LOAD_H
#define PIPELINES_LOAD_H

#include "base/yaml_tree.h"
#include "pipelines/document.h"

#define LOAD_MAX_STEPS        100
#define LOAD_MAX_COMMANDS     100
#define LOAD_MAX_ENV          200
#define LOAD_MAX_NAME         200   /* characters */
#define LOAD_MAX_DESCRIPTION  2000  /* characters */
#define LOAD_MAX_VALUE        32000 /* characters of an environment value */
#define LOAD_MAX_PATH         1024  /* characters */
#define LOAD_MAX_GROUP        200   /* characters, before expansion */
#define LOAD_MAX_LABEL        64    /* characters */
#define LOAD_MAX_KEY          64  /* characters of a job's or a value's name */
#define LOAD_MAX_CELL         200 /* characters of a matrix' value */
#define LOAD_MAX_HOSTS        100
#define LOAD_MAX_HOST         261  /* characters: *. and a port, too */
#define LOAD_MAX_QUEUE        1000 /* runs that wait for a group */
#define LOAD_MAX_RETRIES      10
#define LOAD_MAX_SECRETS      50  /* of a step, the job's among them */
#define LOAD_MAX_PREFIX       100 /* characters */
#define LOAD_MAX_PATTERNS     50
#define LOAD_MAX_BACKGROUND   16  /* steps of a job */
#define LOAD_MAX_CACHE_KEY    200 /* characters, before expansion */
#define LOAD_MAX_CACHE_PATHS  16
#define LOAD_MAX_RESTORE_KEYS 10
#define LOAD_MAX_RESULTS      8     /* reports of a step */
#define LOAD_MAX_PROMPT       32000 /* characters */
#define LOAD_MAX_FINDINGS     100   /* of a review */
#define MODEL_MAX_NAME        40    /* characters */
#define MODEL_MAX_ID          200   /* the same */
#define LOAD_RETENTION_MS     ((int64_t)30 * 24 * 3600 * 1000)
#define LOAD_MAX_RETENTION_MS ((int64_t)366 * 24 * 3600 * 1000)
#define LOAD_WAIT_MS          ((int64_t)60 * 1000)
#define LOAD_MAX_TIMEOUT_MS   ((int64_t)7 * 24 * 3600 * 1000)

/* More errors than anybody reads, found at a cost that grows with them. */
#define LOAD_MAX_REPORTS 1000

/* Where an expression stands; that decides what it may refer to. */
enum load_place {
    PLACE_STEP,  /* all but needs */
    PLACE_JOB,   /* the condition of a job */
    PLACE_GROUP, /* the same for all jobs of a document */
    PLACE_LABEL, /* what a stranger cannot choose */
    PLACE_IMAGE, /* only the matrix */
};

/* One document on its way. Errors do not stop it, so that all are found. */
struct loader {
    const struct yaml_tree *tree; /* borrowed */
    yaml_error_fn *on_error;
    yaml_error_fn *on_warning;    /* or NULL */
    void *arg;                    /* for both */
    bool failed;                  /* something was reported */
    unsigned reports;             /* how often; bounded by LOAD_MAX_REPORTS */
    struct document *document;    /* borrowed; being filled */
    struct document_job *job;     /* the same; NULL: no certain one */
    struct pipeline *pipeline;    /* the same: the job's, or the defaults */
    const struct yaml_node *jobs; /* the mapping `jobs`, or NULL */
    bool matrix_known;        /* the job's matrix was loaded without an error */
    const char *const *named; /* the name that each step was given, or NULL */
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
/* The same, of what is allowed all the same. */
void load_warn(struct loader *l, const struct yaml_node *node,
               const char *message);
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
/* A time-out: seven days at most. */
bool load_duration(struct loader *l, const struct yaml_node *node,
                   int64_t *out_ms);
bool load_long_duration(struct loader *l, const struct yaml_node *node,
                        int64_t max_ms, int64_t *out_ms);
/* Whether it can name a variable. False: reported. */
bool load_is_variable(struct loader *l, const struct yaml_node *key);
void load_env(struct loader *l, const struct yaml_node *node,
              struct env_list *out);

/* Check the ${{ }} in a scalar. */
void load_template(struct loader *l, enum load_place place,
                   const struct yaml_node *node);
/* An `if`: its text without ${{ }}, owned by the caller; NULL: reported. */
MUST_USE char *load_condition(struct loader *l, enum load_place place,
                              const struct yaml_node *node);

/*
 * A name that expressions can write behind a dot: letters, digits, _ and -,
 * the first a letter or _, LOAD_MAX_KEY at most. False: reported.
 */
bool load_is_key(struct loader *l, const struct yaml_node *node,
                 const char *what);

/* `instance_type`, named or custom, into the pipeline. */
load_fn load_instance_type;
/* `sandbox`, `timeout`, `env`, `steps`, into the pipeline. */
load_fn load_sandbox;
load_fn load_timeout;
load_fn load_job_env;
load_fn load_steps;
/* Of a step; the target is a struct step. */
load_fn load_write_file;
load_fn load_read_file;
load_fn load_artifacts;
load_fn load_expose_port;
load_fn load_cache;
load_fn load_opencode;
/* Warn of a review behind steps that could have changed what it reads; refuse
 * an incremental one beside another. */
void load_opencode_steps(struct loader *l, const struct yaml_node *steps);
load_fn load_background;
load_fn load_wait_for;
load_fn load_results;
load_fn load_step_secrets;
load_fn load_model;
/* `secrets` of all steps, into the pipeline, over inherited ones. */
load_fn load_job_secrets;
/* Give each step those of the job at `node`, and check them all. */
void load_finish_secrets(struct loader *l, const struct yaml_node *node);
/* The target is a struct model_budget. */
load_fn load_model_budget;
/* What a worker calls a model, in place of `*out`. False: reported. */
bool load_model_name(struct loader *l, const struct yaml_node *value,
                     char **out);
/* False, having reported: not a number from 0 to `max`. */
bool load_amount(struct loader *l, const struct yaml_node *value, double max,
                 double *out);
/* A path below the workspace, without `..`. False: reported. */
bool load_is_path(struct loader *l, const struct yaml_node *value,
                  const char *what);
/* A list, or one: 1 to `max` nodes that `one` gets. False: reported. */
bool load_each(struct loader *l, const struct yaml_node *value, size_t max,
               const char *what, load_fn *one, void *target);
/* A pattern of paths (base/glob.h), added to the struct strv. */
load_fn load_pattern;
/* `labels`; the target is a struct strv, whose old labels go. */
load_fn load_labels;
/* `concurrency`; the target is a struct concurrency, without a group. */
load_fn load_concurrency;
/* `matrix` into the job; false: reported. */
MUST_USE bool load_matrix(struct loader *l, const struct yaml_node *value);
/* `jobs` into the document; each starts as a copy of the defaults. */
void load_jobs(struct loader *l, const struct yaml_node *value,
               const struct document_job *defaults);
/* What a job consists of, `steps` among it, into `l->job`. */
void load_job_keys(struct loader *l, const struct yaml_node *node,
                   const struct map_rules *rules);

/*
 * `on` of a document. The target is a struct trigger_list that has no item yet;
 * NULL: it is only checked.
 */
load_fn load_on;

/* A pipeline with its defaults. Owned by the caller. */
MUST_USE struct pipeline *pipeline_new(void);
/* The sandbox, time-out and environment of another. */
void pipeline_inherit(struct pipeline *p, const struct pipeline *from);
/* "host", or an absolute path without `.` and `..`; else what is wrong. */
MUST_USE const char *image_problem(const char *image);
json_t *step_model_to_json(const struct step_model *model);
json_t *step_opencode_to_json(const struct step *step);
json_t *concurrency_to_json(const struct concurrency *c);
/* A label without ${{ }}. */
bool label_ok(const char *label);

/*
 * The document at `node`, into a new one. NULL: reported. `file` names what has
 * no name, and may be NULL.
 */
MUST_USE struct document *
load_document(struct loader *l, const struct yaml_node *node, const char *file);

/* The formats of `results`, NULL at the end. */
extern const char *const load_formats[];
/* The shells of `shell`, and the reasons of `retry.when`, NULL at the end. */
extern const char *const load_shells[];
extern const char *const load_retry_reasons[];

json_t *secrets_to_json(const struct secret_list *list);
void secret_list_clear(struct secret_list *list);
/* Add copies of those that do not stand in the way of one that is there. */
void secret_list_inherit(struct secret_list *list,
                         const struct secret_list *from);

void env_list_clear(struct env_list *env);
/* Add a variable, in place of an earlier one with the same name. */
void env_list_set(struct env_list *env, const char *name, const char *value);
const char *env_list_get(const struct env_list *env, const char *name);

#endif
