/* cli/run_local.h - a pipeline over a repository, here and now. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_RUN_LOCAL_H
#define CLI_RUN_LOCAL_H

#include "cli/run_job.h"
#include "cli/settings.h"
#include "cli/source.h"
#include "pipelines/pipeline.h"

/** Exit statuses, besides those of report_exit_status(). */
#define LOCAL_USAGE          2
#define LOCAL_INFRASTRUCTURE 3

/** What commands that run something here have in common; as given. */
struct local_options {
    const char *repo, *commit, *ref, *base;
    struct strv inputs; /* NAME=VALUE */
    const char *env_file;
    struct strv secrets; /* NAME[=FILE] */
    const char *redis, *runtime, *driver;
    struct settings_options settings;
    bool keep;
};

/* NOLINTBEGIN(bugprone-macro-parentheses) */
/** The options by which it is run; `member`: the struct local_options. */
#define LOCAL_OPTION_DEFS(whole, member)                                       \
    {"redis",                                                                  \
     0,                                                                        \
     "URL",                                                                    \
     "the Redis to use (default: $BERTH_REDIS, else a\nprivate one that ends " \
     "with the run)",                                                          \
     OPTION_STRING,                                                            \
     offsetof(whole, member.redis)},                                           \
        {"runtime",                                                            \
         0,                                                                    \
         "PATH",                                                               \
         "the OCI runtime (default: worker.runtime of the\n"                   \
         "configuration, else crun or runc, as found)",                        \
         OPTION_STRING,                                                        \
         offsetof(whole, member.runtime)},                                     \
        SETTINGS_OPTION_DEFS(whole, member.settings),                          \
    {                                                                          \
        "driver", 0, "oci|docker",                                             \
            "what makes the sandbox (default:\nworker.driver of the "          \
            "configuration)",                                                  \
            OPTION_STRING, offsetof(whole, member.driver)                      \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

/** Whether they go together; $BERTH_REDIS is looked at. ERR_USER. */
MUST_USE int local_check(struct local_options *opts, struct err *err);

/**
 * Run it, as run_job() says; of `request` the caller has set what is shown.
 * `source` has the password of its address taken out. -1: `*out_status` is set
 * as well.
 */
MUST_USE int local_run(const struct local_options *opts,
                       const struct pipeline *pipeline, struct source *source,
                       struct run_request *request, int *out_status,
                       struct err *err);
void local_clear(struct local_options *opts);

#endif
