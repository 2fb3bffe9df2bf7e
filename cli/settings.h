/* cli/settings.h - berth's configuration, checked. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "base/config.h"
#include "cli/options.h"
#include "pipelines/diag.h"
#include "pipelines/models.h"
#include "pipelines/schedule.h"
#include "pipelines/trigger.h"

/*
 * The table in settings_table.c says what each is; docs/configuration.md is
 * made of it, and schemas/config.schema.json is held to it.
 */
struct settings {
    struct {
        char *url; /* "": none */
        int64_t wait_replicas, wait_timeout_ms;
    } redis;
    struct {
        char *name;
        int64_t max_instances;
    } pool;
    struct {
        int64_t duration_ms, renew_ms, kill_after_ms, kill_grace_ms;
    } lease;
    struct {
        int64_t keep_ms, keep_count, dead_keep_ms, log_budget_bytes, aging_ms;
        int64_t infrastructure_retries, backoff_ms, backoff_max_ms;
    } queue;
    struct config_numbers weights, caps; /* of repositories */
    struct config_numbers pipeline_caps;
    struct {
        char *name;
        int64_t capacity, poll_ms, min_disk_bytes, min_memory_bytes;
        int64_t drain_timeout_ms;
        struct strv labels, registries;
        struct config_numbers warm_pool;
        size_t driver; /* of settings_drivers */
        char *docker_socket;
        char *docker_image; /* "": none */
        char *runtime;      /* "": crun or runc */
    } worker;
    struct {
        struct strv allow_addresses, fork_hosts;
        int64_t max_connections, max_rate, max_bytes;
    } gateway;
    struct {
        char *credentials, *ca; /* paths; "": none */
    } s3;
    struct {
        char *dir; /* "": none */
        struct strv allow;
        char *env_prefix; /* "": none */
    } secrets;
    struct {
        char *store; /* a path, an address of S3, or "" */
        int64_t keep_ms, keep_bytes;
    } log;
    struct {
        char *store; /* an address of S3; "": none */
        int64_t max_bytes;
    } artifacts;
    struct {
        char *dir;
        int64_t bytes, keep_ms, entry_bytes, check_ms;
        char *store;     /* an address of S3; "": none */
        char *store_key; /* a path */
    } cache;
    struct {
        struct strv credentials; /* PATTERN=file:/PATH … */
    } checkout;
    struct {
        int64_t tick_ms;
        struct strv workers; /* NAME=BASE64: those enrolled */
    } scheduler;
    struct {
        int64_t max_bytes;
    } inbox;
    struct {
        char *listen; /* "": no webhooks are taken */
        char *github_url, *gitlab_url, *gitea_url;
        struct strv github_secrets, gitlab_secrets, gitea_secrets;
        int64_t max_rate, keep_ms, budget_bytes, reconcile_ms;
    } webhooks;
    struct {
        char *app, *app_key; /* of GitHub only */
        char *token, *api_url, *ca;
    } github, gitlab, gitea;
    struct {
        int64_t gap_ms, max_comments, max_rows;
        bool request_changes;
        char *url;
    } report;
    char *state_dir; /* "": there is none to be had; it need not exist */
    const struct yaml_node *schedules_node; /* as written; or NULL */
    const struct yaml_node *triggers_node;  /* the same */
    const struct yaml_node *models_node;    /* the same */

    struct schedule_list *schedules; /* owned */
    struct trigger_list *triggers;   /* owned */
    struct model_list *models;       /* owned */
    struct config *config;           /* owned: where each value is from */
};

/* Who uses a key: for config_help(). */
#define SETTINGS_SCHEDULER 1U
#define SETTINGS_WORKER    2U

/** What worker.driver may be; NULL at its end. */
extern const char *const settings_drivers[];

extern const struct config_table settings_table;

/** What is wrong, by where it is written. */
struct settings_errors {
    struct diag_list *file;  /* owned */
    struct diag_list *other; /* owned: the environment, the command line */
};

MUST_USE struct settings_errors *settings_errors_new(void);
void settings_errors_free(struct settings_errors *errors);
OWNER(settings_errors)
/** For people, one line each. No line of the file is quoted: it may be secret.
 */
void settings_errors_render(const struct settings_errors *errors,
                            struct strbuf *out);

/* Where it is looked for if nobody says. */
#define SETTINGS_FILE "/etc/berth/berth.yml"

struct settings_from {
    const char *file; /* NULL: $BERTH_CONFIG, else SETTINGS_FILE if it is
                         there, else none */
    char *const *environ;
    const struct config_option *options;
    size_t option_count;
    const struct settings *before; /* NULL: this is no reload */
    struct strv *kept; /* a reload: a line for each value that changed but
                          needs a restart, and stays as it was */
};

/**
 * Load and check. Returns 0 and `*out_settings`, owned by the caller; -1 with
 * all that is wrong in `errors`. After a failed reload `before` is as it was.
 */
MUST_USE int settings_load(const struct settings_from *from,
                           struct settings_errors *errors,
                           struct settings **out_settings);
/** A file's text alone, which may be any bytes: all is in `errors->file`. */
MUST_USE int settings_load_text(const char *file, const char *text, size_t len,
                                struct settings_errors *errors,
                                struct settings **out_settings);
void settings_free(struct settings *settings);
OWNER(settings)

/** The options that every command with settings has, in its own struct. */
struct settings_options {
    const char *file;
    struct strv sets; /* the caller's to clear */
};

/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define SETTINGS_OPTION_DEFS(whole, member)                                    \
    {.name = "config",                                                         \
     .argument = "FILE",                                                       \
     .help = "the configuration (default: $BERTH_CONFIG, else\n" SETTINGS_FILE \
             ")",                                                              \
     .type = OPTION_STRING,                                                    \
     .offset = offsetof(whole, member.file)},                                  \
    {                                                                          \
        .name = "set", .argument = "NAME=VALUE",                               \
        .help = "set one value; may be repeated", .type = OPTION_LIST,         \
        .offset = offsetof(whole, member.sets)                                 \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

/** The file that they are read from; NULL: none. Borrowed. */
const char *settings_file_of(const struct settings_options *options);
/** settings_load() with these and the environment of the process. */
MUST_USE int settings_load_options(const struct settings_options *options,
                                   struct settings_errors *errors,
                                   struct settings **out_settings);
/**
 * The same, telling people: all that is wrong on standard error, and, of a
 * process that runs (`before` is what it has, else NULL), in its log what needs
 * a restart. ERR_USER: something was wrong.
 */
MUST_USE int settings_get(const struct settings_options *options,
                          const struct settings *before,
                          struct settings **out_settings, struct err *err);

/**
 * Make the state directory, for a program that needs one. ERR_USER: there is
 * none to be had.
 */
MUST_USE int settings_make_state_dir(const struct settings *settings,
                                     struct err *err);

/** The address of the log store (worker/logs/store.h); NULL: there is none.
 * Owned by the caller. */
MUST_USE char *settings_log_store(const struct settings *settings);
/**
 * Have the programs that we start find the keys of S3 where we are told that
 * they are (base/s3_keys.h). ERR_TRANSIENT.
 */
MUST_USE int settings_export_s3(const struct settings *settings,
                                struct err *err);

/** Have base/state.h, and the programs that we start, look there, too. */
MUST_USE int settings_export_state_dir(const struct settings *settings,
                                       struct err *err);
/** Tell run-jobs what makes sandboxes, and of which images. ERR_TRANSIENT. */
MUST_USE int settings_export_sandboxes(const struct settings *settings,
                                       struct err *err);
/** Tell run-jobs how much a job may leave (worker/artifacts/artifacts.h). */
MUST_USE int settings_export_artifacts(const struct settings *settings,
                                       struct err *err);

/**
 * "gateway" of worker/job/events.h, as it is configured. The caller's
 * (json_decref).
 */
MUST_USE json_t *settings_gateway(const struct settings *settings);

/** ERR_USER unless a pool, worker or scheduler may be called that. */
MUST_USE int settings_check_name(const char *text, struct err *err);

#endif
