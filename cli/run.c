/* cli/run.c - `berth run`: one pipeline over one repository, here and now. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/redis_url.h"
#include "base/state.h"
#include "cli/commands.h"
#include "cli/credential.h"
#include "cli/env_file.h"
#include "cli/pipeline_file.h"
#include "cli/run_job.h"
#include "cli/secret_option.h"
#include "cli/settings.h"
#include "cli/source.h"
#include "cli/text.h"
#include "scheduler/queue/submit.h"
#include "worker/sandbox/drivers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE          2
#define EXIT_INFRASTRUCTURE 3
#define INPUTS_MAX          64

struct run_options {
    const char *repo;
    const char *commit;
    const char *ref;
    const char *base;
    struct strv inputs;
    const char *env_file;
    struct strv secrets;
    const char *redis;
    const char *runtime;
    struct settings_options settings;
    const char *driver;
    bool json;
    bool keep;
    bool quiet;
    bool verbose;
    bool no_color;
};

#define FIELD(name) offsetof(struct run_options, name)

static const struct option_def options[] = {
    {"repo", 0, "PATH|URL",
     "the repository (default: the one of this\ndirectory)", OPTION_STRING,
     FIELD(repo)},
    {"commit", 0, "SHA", "the commit (default: HEAD)", OPTION_STRING,
     FIELD(commit)},
    {"ref", 0, "REF", "a branch, a tag or refs/… instead", OPTION_STRING,
     FIELD(ref)},
    {"base", 0, "BRANCH", "the branch that a change is compared with",
     OPTION_STRING, FIELD(base)},
    {"input", 'i', "NAME=VALUE",
     "a value for ${{ inputs.NAME }}; may be repeated", OPTION_LIST,
     FIELD(inputs)},
    {"env-file", 0, "FILE", "NAME=VALUE lines for the steps' environment",
     OPTION_STRING, FIELD(env_file)},
    {"secret", 0, "NAME[=FILE]",
     "what a step names under secrets: what is in FILE,\nor in the variable "
     "NAME; may be repeated",
     OPTION_LIST, FIELD(secrets)},
    {"redis", 0, "URL",
     "the Redis to use (default: $BERTH_REDIS, else a\nprivate one that ends "
     "with the run)",
     OPTION_STRING, FIELD(redis)},
    {"runtime", 0, "PATH",
     "the OCI runtime (default: $" RUNTIME_VARIABLE ",\nelse crun or runc, as "
     "found)",
     OPTION_STRING, FIELD(runtime)},
    SETTINGS_OPTION_DEFS(struct run_options, settings),
    {"driver", 0, "oci|docker",
     "what makes the sandbox (default:\n$" DRIVER_VARIABLE ", else oci)",
     OPTION_STRING, FIELD(driver)},
    {"json", 0, NULL,
     "the result as JSON on standard output, all else\non standard error",
     OPTION_FLAG, FIELD(json)},
    {"keep", 0, NULL, "keep a copy of the workspace and say where", OPTION_FLAG,
     FIELD(keep)},
    {"quiet", 'q', NULL, "only the table and what failed", OPTION_FLAG,
     FIELD(quiet)},
    {"verbose", 'v', NULL, "all output, also on a terminal; resource use",
     OPTION_FLAG, FIELD(verbose)},
    {"no-color", 0, NULL, "no colours (as NO_COLOR does)", OPTION_FLAG,
     FIELD(no_color)},
};

const struct command command_run = {
    .name = "run",
    .operands = "PIPELINE",
    .summary =
        "Run a pipeline over a repository, in a sandbox on this machine.",
    .details =
        "PIPELINE is a file, - for standard input, or the name of a pipeline "
        "that\nships with berth, such as test. What is committed is run, not "
        "the working\ntree. Ctrl-C cancels, twice kills; nothing is left "
        "behind.\n\n"
        "exit status: 0 passed, 1 failed, 2 wrong usage or invalid pipeline,\n"
        "3 the infrastructure failed, 130 cancelled",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .min_operands = 1,
    .max_operands = 1,
    .main = cmd_run,
};

/* NAME=value entries as an object. */
static json_t *entries_json(const struct strv *entries, struct err *err)
{
    json_t *object = json_object();

    for (size_t i = 0; i < entries->count; i++) {
        const char *entry = entries->items[i];
        size_t len = strcspn(entry, "=");
        CLEANUP(mem) char *name = xstrndup(entry, len);

        if (json_object_set_new(object, name, json_string(entry + len + 1)) <
            0) {
            json_decref(object);
            (void)err_set(err, ERR_USER, "the value of '%s' is not UTF-8",
                          name);
            return NULL;
        }
    }
    return object;
}

static int add_inputs(json_t *payload, const struct run_options *opts,
                      struct err *err)
{
    CLEANUP(strv) struct strv inputs = {0};
    json_t *inputs_json;

    if (opts->inputs.count > INPUTS_MAX)
        return err_set(err, ERR_USER, "--input is given over %d times",
                       INPUTS_MAX);
    for (size_t i = 0; i < opts->inputs.count; i++)
        if (env_add_argument("--input", opts->inputs.items[i], &inputs, err) <
            0)
            return -1;
    inputs_json = entries_json(&inputs, err);
    if (!inputs_json)
        return -1;
    json_object_set_new(payload, "inputs", inputs_json);
    return 0;
}

/* What Redis must not see goes from here to run-job, in memory; the password
 * is taken out of the source's address. */
static int make_secrets(const struct run_options *opts, struct source *source,
                        json_t **out_secrets, struct err *err)
{
    CLEANUP(strv) struct strv env = {0};
    json_t *secrets = NULL;
    json_t *env_json;
    char *repo = NULL;

    if (opts->env_file && env_file_load(opts->env_file, &env, err) < 0)
        return -1;
    env_json = entries_json(&env, err);
    if (!env_json)
        return err_wrap(err, "%s", opts->env_file);
    if (credential_split(source->repo, &repo, &secrets, err) < 0) {
        json_decref(env_json);
        return -1;
    }
    free(source->repo);
    source->repo = repo;
    if (!secrets)
        secrets = json_object();
    json_object_set_new(secrets, "env", env_json);
    *out_secrets = secrets;
    return 0;
}

/* All that run-job is told must fit one message. */
static int check_size(const char *payload, const json_t *secrets,
                      struct err *err)
{
    size_t size = strlen(payload) + json_dumpb(secrets, NULL, 0, JSON_COMPACT);

    if (size <= QUEUE_MAX_PAYLOAD)
        return 0;
    return err_set(err, ERR_USER,
                   "the pipeline, its inputs and its environment have %zu "
                   "bytes, over %zu",
                   size, QUEUE_MAX_PAYLOAD);
}

/* JOB_FRAME_START (worker/job/events.h). Takes the pipeline's document. */
static int make_payload(const struct run_options *opts,
                        const struct source *source, json_t *pipeline,
                        char **out_payload, struct err *err)
{
    const struct {
        const char *key;
        const char *value;
    } strings[] = {
        {"repo", source->repo},
        {"repo_name", source->name},
        {"commit", source->commit},
        {"ref", source->ref},
        {"branch", source->branch},
        {"base", opts->base ? opts->base : ""},
        {"change", ""},
        {"trust", "member"},
        {"runtime", opts->runtime ? opts->runtime : ""},
    };
    json_t *payload = json_object();
    int rc;

    json_object_set_new(payload, "pipeline", pipeline);
    json_object_set_new(payload, "keep", json_boolean(opts->keep));
    for (size_t i = 0; i < ARRAY_LEN(strings); i++)
        if (json_object_set_new(payload, strings[i].key,
                                json_string(strings[i].value)) < 0) {
            json_decref(payload);
            return err_set(err, ERR_USER, "'%s' is not UTF-8", strings[i].key);
        }
    rc = add_inputs(payload, opts, err);
    if (!rc)
        *out_payload = json_dumps(payload, JSON_COMPACT);
    json_decref(payload);
    return rc;
}

static int load_pipeline(const char *name, struct pipeline **out_pipeline,
                         struct err *err)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    if (pipeline_file_load(name, diags, out_pipeline, err) == 0)
        return 0;
    diag_list_render(diags, &text);
    fputs(text.data, stderr);
    return -1;
}

static void choose_display(const struct run_options *opts,
                           struct display_options *out)
{
    out->fd = opts->json ? STDERR_FILENO : STDOUT_FILENO;
    out->live = style_choose(out->fd, &out->style);
    out->style.colour = out->style.colour && !opts->no_color;
    out->detail = opts->quiet     ? DISPLAY_QUIET
                  : opts->verbose ? DISPLAY_VERBOSE
                                  : DISPLAY_NORMAL;
}

static char *make_heading(const struct pipeline *pipeline,
                          const struct source *source)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    strbuf_addf(&out, "berth: %s over %s", pipeline->name,
                *source->name ? source->name : source->repo);
    if (*source->commit)
        strbuf_addf(&out, " at %.7s", source->commit);
    if (*source->branch)
        strbuf_addf(&out, " (%s)", source->branch);
    else if (*source->ref)
        strbuf_addf(&out, " (%s)", source->ref);
    return strbuf_take(&out);
}

static void say_dirty(const struct source *source)
{
    if (source->dirty_files)
        fprintf(stderr,
                "note: %u uncommitted file%s not in the run: it takes HEAD "
                "%.7s\n",
                source->dirty_files, source->dirty_files == 1 ? " is" : "s are",
                source->commit);
}

/* run-job looks at the variable. */
static int choose_driver(const char *driver, struct err *err)
{
    for (size_t i = 0; settings_drivers[i]; i++)
        if (strcmp(driver, settings_drivers[i]) == 0)
            return setenv(DRIVER_VARIABLE, driver, 1) < 0
                       ? err_sys(err, ERR_TRANSIENT,
                                 "cannot set " DRIVER_VARIABLE)
                       : 0;
    return err_set(err, ERR_USER, "there is no driver '%.80s': oci or docker",
                   driver);
}

static int check_options(struct run_options *opts, struct err *err)
{
    CLEANUP(redis_url) struct redis_url *url = NULL;

    if (opts->quiet && opts->verbose)
        return err_set(err, ERR_USER,
                       "--quiet and --verbose exclude each other");
    if (opts->commit && opts->ref)
        return err_set(err, ERR_USER, "--commit and --ref exclude each other");
    if (opts->driver && choose_driver(opts->driver, err) < 0)
        return -1;
    if (!opts->redis)
        opts->redis = getenv("BERTH_REDIS");
    if (opts->redis && !*opts->redis)
        opts->redis = NULL;
    return opts->redis ? redis_url_parse(opts->redis, &url, err) : 0;
}

static bool has_model(const struct pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->step_count; i++)
        if (pipeline->steps[i].model.name)
            return true;
    return false;
}

/* Of the configuration a run takes what its gateway may do, and models, if it
 * has such. */
static int load_limits(const struct run_options *opts,
                       const struct pipeline *pipeline, json_t **out_gateway,
                       json_t **out_models, struct err *err)
{
    CLEANUP(settings) struct settings *settings = NULL;

    if (pipeline->network != NETWORK_HOSTS && !has_model(pipeline))
        return 0;
    if (settings_get(&opts->settings, NULL, &settings, err) < 0)
        return -1;
    *out_gateway = settings_gateway(settings);
    *out_models = model_list_to_json(settings->models);
    return 0;
}

/* Everything that can be wrong with the command line is found before Redis. */
static int run(struct run_options *opts, const char *name, int *out_status,
               struct err *err)
{
    CLEANUP(pipeline) struct pipeline *pipeline = NULL;
    CLEANUP(source) struct source *source = NULL;
    CLEANUP(mem) char *payload = NULL;
    CLEANUP(mem) char *heading = NULL;
    struct run_request request = {.json = opts->json};
    json_t *secrets = NULL, *gateway = NULL, *models = NULL;
    int rc;
    char id[] = "run-xxxxxxxxxxxxxxxx";
    char pool[] = "local-xxxxxxxxxxxxxxxx";

    *out_status = EXIT_USAGE;
    choose_display(opts, &request.display);
    if (check_options(opts, err) < 0 ||
        load_pipeline(name, &pipeline, err) < 0 ||
        source_find(opts->repo, opts->commit, opts->ref, &source, err) < 0)
        return -1;
    if (make_secrets(opts, source, &secrets, err) < 0)
        return -1;
    if (secret_options_add(&opts->secrets, pipeline, secrets, err) < 0 ||
        make_payload(opts, source, pipeline_to_json(pipeline), &payload, err) <
            0 ||
        check_size(payload, secrets, err) < 0 ||
        load_limits(opts, pipeline, &gateway, &models, err) < 0) {
        secret_options_wipe(secrets);
        json_decref(secrets);
        return -1;
    }
    say_dirty(source);
    heading = make_heading(pipeline, source);
    state_random_hex(id + 4, 16);
    state_random_hex(pool + 6, 16);
    request.redis_url = opts->redis;
    request.job_id = id;
    request.pool = pool;
    request.payload = payload;
    request.secrets = secrets;
    request.gateway = gateway;
    request.models = models;
    request.heading = heading;
    *out_status = EXIT_INFRASTRUCTURE;
    rc = run_job(&request, out_status, err);
    secret_options_wipe(secrets);
    json_decref(secrets);
    json_decref(gateway);
    json_decref(models);
    return rc;
}

int cmd_run(int argc, char **argv)
{
    CLEANUP(strv) struct strv operands = {0};
    struct run_options opts = {0};
    struct err err = {0};
    int parsed =
        options_parse(&command_run, argc, argv, &opts, &operands, &err);
    int status = 0;

    if (parsed != 0)
        status = options_finish(&command_run, parsed, &err);
    else if (run(&opts, operands.items[0], &status, &err) < 0)
        log_error("%s", err.msg);
    strv_clear(&opts.inputs);
    strv_clear(&opts.secrets);
    strv_clear(&opts.settings.sets);
    return status;
}
