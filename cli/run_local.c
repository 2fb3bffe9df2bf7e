/* cli/run_local.c - a pipeline over a repository, here and now. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_local.h"

#include "base/redis_url.h"
#include "base/state.h"
#include "cli/credential.h"
#include "cli/env_file.h"
#include "cli/secret_option.h"
#include "cli/settings.h"
#include "scheduler/queue/submit.h"
#include "worker/sandbox/drivers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUTS_MAX 64

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

static int add_inputs(json_t *payload, const struct local_options *opts,
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
static int make_secrets(const struct local_options *opts, struct source *source,
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
static int make_payload(const struct local_options *opts,
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

static int check_driver(const char *driver, struct err *err)
{
    for (size_t i = 0; settings_drivers[i]; i++)
        if (strcmp(driver, settings_drivers[i]) == 0)
            return 0;
    return err_set(err, ERR_USER, "there is no driver '%.80s': oci or docker",
                   driver);
}

static bool has_model(const struct pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->step_count; i++)
        if (pipeline->steps[i].model.name)
            return true;
    return false;
}

/* The one of this machine has passwords: not everybody may read it. */
static bool is_closed(const char *file)
{
    return file && !strcmp(file, SETTINGS_FILE) && access(file, R_OK) < 0;
}

/* The worker's tools are there; who may not write there has a place of his own.
 */
static int take_state_dir(const struct settings *settings, struct err *err)
{
    struct err ignored;

    if (settings_make_state_dir(settings, &ignored) < 0 ||
        access(settings->state_dir, W_OK) < 0)
        return 0;
    return settings_export_state_dir(settings, err);
}

/* Of the configuration a run takes where its state is, what makes sandboxes,
 * and, if it has such, what its gateway may do, and models. */
static int take_settings(const struct local_options *opts,
                         const struct pipeline *pipeline, json_t **out_gateway,
                         json_t **out_models, struct err *err)
{
    CLEANUP(settings) struct settings *settings = NULL;
    struct settings_options from = opts->settings;
    bool limits = pipeline->network == NETWORK_HOSTS || has_model(pipeline);

    if (!limits && is_closed(settings_file_of(&from)))
        from.file = "/dev/null";
    if (settings_get(&from, NULL, &settings, err) < 0 ||
        take_state_dir(settings, err) < 0 ||
        settings_export_sandboxes(settings, err) < 0)
        return -1;
    if (opts->driver && setenv(DRIVER_VARIABLE, opts->driver, 1) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot set " DRIVER_VARIABLE);
    if (limits) {
        *out_gateway = settings_gateway(settings);
        *out_models = model_list_to_json(settings->models);
    }
    return 0;
}

int local_check(struct local_options *opts, struct err *err)
{
    CLEANUP(redis_url) struct redis_url *url = NULL;

    if (opts->commit && opts->ref)
        return err_set(err, ERR_USER, "--commit and --ref exclude each other");
    if (opts->driver && check_driver(opts->driver, err) < 0)
        return -1;
    if (!opts->redis)
        opts->redis = getenv("BERTH_REDIS");
    if (opts->redis && !*opts->redis)
        opts->redis = NULL;
    return opts->redis ? redis_url_parse(opts->redis, &url, err) : 0;
}

int local_run(const struct local_options *opts, const struct pipeline *pipeline,
              struct source *source, struct run_request *request,
              int *out_status, struct err *err)
{
    CLEANUP(mem) char *payload = NULL;
    CLEANUP(mem) char *heading = NULL;
    json_t *secrets = NULL, *gateway = NULL, *models = NULL;
    char id[] = "run-xxxxxxxxxxxxxxxx";
    char pool[] = "local-xxxxxxxxxxxxxxxx";
    int rc;

    *out_status = LOCAL_USAGE;
    if (make_secrets(opts, source, &secrets, err) < 0)
        return -1;
    if (secret_options_add(&opts->secrets, pipeline, secrets, err) < 0 ||
        make_payload(opts, source, pipeline_to_json(pipeline), &payload, err) <
            0 ||
        check_size(payload, secrets, err) < 0 ||
        take_settings(opts, pipeline, &gateway, &models, err) < 0) {
        secret_options_wipe(secrets);
        json_decref(secrets);
        return -1;
    }
    say_dirty(source);
    heading = make_heading(pipeline, source);
    state_random_hex(id + 4, 16);
    state_random_hex(pool + 6, 16);
    request->redis_url = opts->redis;
    request->job_id = id;
    request->pool = pool;
    request->payload = payload;
    request->secrets = secrets;
    request->gateway = gateway;
    request->models = models;
    request->heading = heading;
    *out_status = LOCAL_INFRASTRUCTURE;
    rc = run_job(request, out_status, err);
    secret_options_wipe(secrets);
    json_decref(secrets);
    json_decref(gateway);
    json_decref(models);
    return rc;
}

void local_clear(struct local_options *opts)
{
    strv_clear(&opts->inputs);
    strv_clear(&opts->secrets);
    strv_clear(&opts->settings.sets);
}
