/* pipelines/pipeline.h - the pipeline language, loaded and checked. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_PIPELINE_H
#define PIPELINES_PIPELINE_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct diag_list; /* pipelines/diag.h: errors with file:line:column */

enum step_kind {
    STEP_CHECKOUT,
    STEP_INSTALL,
    STEP_RUN,
    STEP_WRITE_FILE,
    STEP_READ_FILE,
    STEP_ARTIFACTS,
    STEP_EXPOSE_PORT,
    STEP_CACHE,
    STEP_OPENCODE
};

#define STEP_KINDS (STEP_OPENCODE + 1)

/** "checkout" … "opencode": the key, and the word in results. Static. */
const char *step_kind_name(enum step_kind kind);

/** `retry: {max, when, exit_codes}`; max 0: never again. */
struct step_retry {
    unsigned max;       /* further attempts, 0 to 10 */
    unsigned when;      /* bits 1u << enum reason (pipelines/reason.h) */
    int exit_codes[16]; /* only these, when count > 0 */
    size_t exit_code_count;
};

struct env_entry {
    char *name;  /* owned */
    char *value; /* owned; may hold ${{ }} */
};

struct env_list {
    struct env_entry *items; /* owned */
    size_t count;
};

/** `wait_for` of a step in the background. */
struct step_wait {
    enum { WAIT_NONE, WAIT_PORT, WAIT_LOG, WAIT_HTTP } kind;
    unsigned port; /* WAIT_PORT and WAIT_HTTP */
    char *text;    /* owned; WAIT_LOG: what it prints; WAIT_HTTP: the path */
    int64_t timeout_ms;
};

/** `cache: {key, files, paths, restore_keys}`. */
struct step_cache {
    char *key;         /* owned; may hold ${{ }} */
    struct strv files; /* base/glob.h: their content is a part of the key */
    struct strv paths; /* directories below the workspace, or ~/ */
    struct strv restore_keys; /* what other keys may begin with; with ${{ }} */
};

/** An entry of `results`: a report that a tool leaves. */
struct step_report {
    const char *format; /* static: findings_format_name() has the same */
    struct strv files;  /* base/glob.h; none: standard output */
};

enum secret_form { SECRET_ENV, SECRET_FILE, SECRET_INJECT };

/** An entry of `secrets`: something of the worker's store for one step. */
struct step_secret {
    char *name; /* owned, as all strings; [A-Z_][A-Z0-9_]* */
    enum secret_form form;
    char *target;  /* the variable; the file's name in PIPELINE_SECRETS_DIR; or
                      the host, as host_name_parse() has it */
    uint16_t port; /* SECRET_INJECT, as the following: what goes for the host */
    bool plain;    /* the gateway speaks no TLS with it */
    char *header;  /* of the field; NULL in other forms, as the next */
    char *prefix;  /* what stands before the value in it; or "" */
    bool optional; /* the step runs without, too */
};

struct secret_list {
    struct step_secret *items; /* owned */
    size_t count;
};

/** What may be asked of a model; 0: that is not limited. */
struct model_budget {
    uint64_t requests;
    uint64_t tokens;    /* in and out */
    uint64_t micro_usd; /* millionths of a dollar */
    int64_t time_ms;    /* while steps with a model run */
};

/** `model: NAME | true | {name, id, budget}`. */
struct step_model {
    char *name; /* owned; of the worker's configuration; "": its first; NULL:
                   the step has none */
    char *id;   /* owned; what the provider calls it; NULL: its usual one */
    struct model_budget budget; /* besides that of the job */
};

/** Where an answer goes: a review into findings; else the log, or a file. */
enum opencode_output { OPENCODE_FINDINGS, OPENCODE_TEXT, OPENCODE_FILE };

/** Bits of `tools`, in the order of opencode_tools. */
#define OPENCODE_TOOLS     7
#define OPENCODE_READ_ONLY 7u /* read, grep, glob */

/**
 * `opencode: PROMPT | {…}`. The prompt is the step's `content`, the file that
 * is written its `path`, both expanded; which model, and its budget, its
 * `model`, which always has a name, or "".
 */
struct step_opencode {
    enum opencode_output output;
    char *prompt_file;   /* owned; in the repository, of the base of a change;
                            or NULL: the step's content, or the usual review */
    const char *agent;   /* static; "build", "plan"; or NULL; no review */
    const char *dialect; /* static; "auto", "run", "legacy" */
    unsigned tools;      /* what the model may use */
    struct strv paths;   /* OPENCODE_FINDINGS, as the following; glob.h */
    unsigned max_findings;
    const char *min_severity; /* static */
    double min_confidence;
    bool verify;      /* ask about each finding once more */
    bool incremental; /* only what is new since the last review */
    bool whole;       /* all files, not what a change is */
};

struct step;

/**
 * Whether a step may run code that is not the pipeline's own: `run`, `install`,
 * and opencode with tools that write.
 */
bool step_runs_code(const struct step *step);
/** Whether it is a review: opencode with `output: findings`. */
bool step_reviews(const struct step *step);

/** "read" … "write", NULL at the end. */
extern const char *const opencode_tools[];

/** Where the files are inside. */
#define PIPELINE_SECRETS_DIR "/run/berth/secrets"

struct step {
    enum step_kind kind;
    char *name;      /* owned; unique; may hold ${{ }}; never NULL */
    char *condition; /* owned; `if` without ${{ }}, or NULL: success() */
    char **commands; /* owned; STEP_RUN: joined by the shell with \n */
    size_t command_count;
    char *shell;             /* owned; "sh" unless said otherwise */
    char *working_directory; /* owned; relative to the workspace, or NULL;
                                may hold ${{ }} */
    struct env_list env;
    struct secret_list secrets; /* those of the job among them */
    int64_t timeout_ms;         /* 0: only the job's */
    bool continue_on_error;
    struct step_retry retry;
    bool submodules; /* STEP_CHECKOUT */
    char *install;   /* owned; STEP_INSTALL: "npm" */
    bool background; /* STEP_RUN: later steps run beside it */
    struct step_wait wait_for;
    struct step_report *reports; /* owned; STEP_RUN, not in the background; of
                                    OPENCODE_FINDINGS it is "findings" */
    size_t report_count;
    char *path;    /* owned; STEP_WRITE_FILE, STEP_READ_FILE, OPENCODE_FILE:
                      relative to the workspace; may hold ${{ }} */
    char *content; /* owned; STEP_WRITE_FILE; a prompt; may hold ${{ }} */
    unsigned mode; /* STEP_WRITE_FILE: permissions */
    struct strv patterns;    /* STEP_ARTIFACTS: base/glob.h */
    int64_t retention_ms;    /* the same */
    unsigned port;           /* STEP_EXPOSE_PORT */
    struct step_cache cache; /* STEP_CACHE */
    struct step_model model; /* STEP_RUN, not in the background, OPENCODE */
    struct step_opencode opencode; /* STEP_OPENCODE */
};

enum network_mode { NETWORK_NONE, NETWORK_HOSTS, NETWORK_FULL };

/** Whether `word`, in a list of `network`, stands for hosts: npm. */
bool network_is_preset(const char *word);

/** vCPU, memory, disk, pids of an instance type. */
struct instance_type {
    const char *name;    /* static; "custom" when the pipeline gives numbers */
    unsigned cpu_millis; /* 1000 = one vCPU */
    uint64_t memory_bytes;
    uint64_t disk_bytes;
    unsigned pids;
};

struct pipeline {
    char *name;        /* owned; the file's base name if absent; no ${{ }} */
    char *description; /* owned; or NULL */
    char *image;       /* owned; "host", or an absolute rootfs directory */
    const struct instance_type *instance_type; /* static, or &custom_type */
    struct instance_type custom_type;
    enum network_mode network;
    struct strv hosts; /* owned; NETWORK_HOSTS: presets and rules (host_rule.h)
                        */
    struct env_list sandbox_env;
    struct env_list env;
    struct secret_list secrets; /* of every step, which has them too */
    int64_t timeout_ms;         /* of the job; 60 min unless said otherwise */
    struct step *steps;         /* owned */
    size_t step_count;
};

/** Look up "lite", "basic", "standard-1".. "standard-4"; NULL if unknown. */
const struct instance_type *instance_type_find(const char *name);

/**
 * Load a pipeline from YAML text. `file` names it in messages; `text` need not
 * be NUL-terminated and may be anything at all.
 *
 * Returns 0 and `*out_pipeline`, owned by the caller. Returns -1 with every
 * error found in `diags` (never empty then) and leaves `*out_pipeline` alone.
 */
MUST_USE int pipeline_load(const char *file, const char *text, size_t len,
                           struct diag_list *diags,
                           struct pipeline **out_pipeline);

/**
 * The normalised document, as it is queued: every default filled in, aliases
 * resolved. pipeline_from_json() of it gives an equal pipeline. Owned by the
 * caller (json_decref).
 */
MUST_USE json_t *pipeline_to_json(const struct pipeline *pipeline);

/** The inverse; ERR_USER for anything that pipeline_load() would refuse. */
MUST_USE int pipeline_from_json(const json_t *json,
                                struct pipeline **out_pipeline,
                                struct err *err);

void pipeline_free(struct pipeline *pipeline);
OWNER(pipeline)

#endif
