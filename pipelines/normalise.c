/* pipelines/normalise.c - the pipeline as the JSON that is queued. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"
#include "pipelines/load.h"
#include "pipelines/reason.h"

#include <stdio.h>
#include <string.h>

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text)
        json_object_set_new(object, key, json_string(text));
}

static void set_duration(json_t *object, const char *key, int64_t ms)
{
    char text[DURATION_TEXT_SIZE];

    if (ms)
        set_text(object, key, duration_format(ms, text));
}

static void set_size(json_t *object, const char *key, uint64_t bytes)
{
    char text[SIZE_TEXT_SIZE];

    set_text(object, key, size_format(bytes, text));
}

static json_t *env_json(const struct env_list *env)
{
    json_t *object = json_object();

    for (size_t i = 0; i < env->count; i++)
        set_text(object, env->items[i].name, env->items[i].value);
    return object;
}

static json_t *instance_json(const struct instance_type *type)
{
    json_t *object;

    if (instance_type_find(type->name) == type)
        return json_string(type->name);
    object = json_object();
    json_object_set_new(object, "cpu", json_real(type->cpu_millis / 1000.0));
    set_size(object, "memory", type->memory_bytes);
    set_size(object, "disk", type->disk_bytes);
    json_object_set_new(object, "pids", json_integer(type->pids));
    return object;
}

static json_t *network_json(const struct pipeline *p)
{
    json_t *hosts;

    if (p->network != NETWORK_HOSTS)
        return json_string(p->network == NETWORK_FULL ? "full" : "none");
    hosts = json_array();
    for (size_t i = 0; i < p->hosts.count; i++)
        json_array_append_new(hosts, json_string(p->hosts.items[i]));
    return hosts;
}

static json_t *sandbox_json(const struct pipeline *p)
{
    json_t *object = json_object();

    set_text(object, "image", p->image);
    json_object_set_new(object, "instance_type",
                        instance_json(p->instance_type));
    json_object_set_new(object, "network", network_json(p));
    json_object_set_new(object, "env", env_json(&p->sandbox_env));
    return object;
}

static json_t *retry_json(const struct step_retry *retry)
{
    json_t *object = json_object();
    json_t *list = json_array();

    json_object_set_new(object, "max", json_integer(retry->max));
    for (const char *const *name = load_retry_reasons; *name; name++)
        if (retry->when & 1u << reason_find(*name))
            json_array_append_new(list, json_string(*name));
    json_object_set_new(object, "when", list);
    if (!retry->exit_code_count)
        return object;
    list = json_array();
    for (size_t i = 0; i < retry->exit_code_count; i++)
        json_array_append_new(list, json_integer(retry->exit_codes[i]));
    json_object_set_new(object, "exit_codes", list);
    return object;
}

static json_t *texts_json(char *const *texts, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(texts[i]));
    return list;
}

static json_t *wait_json(const struct step_wait *wait)
{
    json_t *object = json_object();
    CLEANUP(mem) char *address = NULL;

    if (wait->kind == WAIT_PORT)
        json_object_set_new(object, "port", json_integer(wait->port));
    if (wait->kind == WAIT_LOG)
        set_text(object, "log", wait->text);
    if (wait->kind == WAIT_HTTP) {
        address = xasprintf("http://localhost:%u%s", wait->port, wait->text);
        set_text(object, "http", address);
    }
    set_duration(object, "timeout", wait->timeout_ms);
    return object;
}

static json_t *reports_json(const struct step *step)
{
    json_t *list = json_array();

    for (size_t i = 0; i < step->report_count; i++) {
        const struct step_report *report = &step->reports[i];
        json_t *one = json_object();

        set_text(one, "format", report->format);
        if (report->files.count)
            json_object_set_new(
                one, "files",
                texts_json(report->files.items, report->files.count));
        json_array_append_new(list, one);
    }
    return list;
}

static void set_run(json_t *object, const struct step *step)
{
    json_object_set_new(object, "run",
                        texts_json(step->commands, step->command_count));
    set_text(object, "shell", step->shell);
    if (step->background)
        json_object_set_new(object, "background", json_true());
    if (step->wait_for.kind != WAIT_NONE)
        json_object_set_new(object, "wait_for", wait_json(&step->wait_for));
    if (step->report_count)
        json_object_set_new(object, "results", reports_json(step));
    if (step->model.name)
        json_object_set_new(object, "model", step_model_to_json(&step->model));
}

static json_t *write_file_json(const struct step *step)
{
    json_t *object = json_object();
    char mode[8];

    (void)snprintf(mode, sizeof(mode), "%03o", step->mode & 0777);
    set_text(object, "path", step->path);
    set_text(object, "content", step->content);
    set_text(object, "mode", mode);
    return object;
}

static json_t *artifacts_json(const struct step *step)
{
    json_t *object = json_object();

    json_object_set_new(object, "paths",
                        texts_json(step->patterns.items, step->patterns.count));
    set_duration(object, "retention", step->retention_ms);
    return object;
}

static void set_texts(json_t *object, const char *key, const struct strv *list)
{
    if (list->count)
        json_object_set_new(object, key, texts_json(list->items, list->count));
}

static json_t *cache_json(const struct step_cache *cache)
{
    json_t *object = json_object();

    set_text(object, "key", cache->key);
    set_texts(object, "files", &cache->files);
    set_texts(object, "paths", &cache->paths);
    set_texts(object, "restore_keys", &cache->restore_keys);
    return object;
}

static void set_kind(json_t *object, const struct step *step)
{
    const char *key = step_kind_name(step->kind);

    switch (step->kind) {
    case STEP_CHECKOUT:
        json_object_set_new(
            object, key,
            json_pack("{s:b}", "submodules", (int)step->submodules));
        return;
    case STEP_INSTALL:
        set_text(object, key, step->install);
        return;
    case STEP_RUN:
        set_run(object, step);
        return;
    case STEP_WRITE_FILE:
        json_object_set_new(object, key, write_file_json(step));
        return;
    case STEP_READ_FILE:
        set_text(object, key, step->path);
        return;
    case STEP_ARTIFACTS:
        json_object_set_new(object, key, artifacts_json(step));
        return;
    case STEP_EXPOSE_PORT:
        json_object_set_new(object, key, json_integer(step->port));
        return;
    case STEP_CACHE:
        json_object_set_new(object, key, cache_json(&step->cache));
        return;
    case STEP_OPENCODE:
        json_object_set_new(object, key, step_opencode_to_json(step));
    }
}

static json_t *step_json(const struct step *step)
{
    json_t *object = json_object();

    set_text(object, "name", step->name);
    set_kind(object, step);
    set_text(object, "if", step->condition);
    set_duration(object, "timeout", step->timeout_ms);
    if (step->kind == STEP_RUN || step->kind == STEP_INSTALL)
        json_object_set_new(object, "env", env_json(&step->env));
    if (step->secrets.count)
        json_object_set_new(object, "secrets", secrets_to_json(&step->secrets));
    set_text(object, "working-directory", step->working_directory);
    json_object_set_new(object, "continue-on-error",
                        json_boolean(step->continue_on_error));
    if (step->retry.when)
        json_object_set_new(object, "retry", retry_json(&step->retry));
    return object;
}

/* The keys that a job has anywhere, into `object`. */
static void set_job(json_t *object, const struct pipeline *p)
{
    json_t *steps = json_array();

    json_object_set_new(object, "sandbox", sandbox_json(p));
    set_duration(object, "timeout", p->timeout_ms);
    json_object_set_new(object, "env", env_json(&p->env));
    for (size_t i = 0; i < p->step_count; i++)
        json_array_append_new(steps, step_json(&p->steps[i]));
    json_object_set_new(object, "steps", steps);
}

json_t *pipeline_to_json(const struct pipeline *pipeline)
{
    json_t *object = json_object();

    set_text(object, "name", pipeline->name);
    set_text(object, "description", pipeline->description);
    set_job(object, pipeline);
    return object;
}

/* ---- documents -------------------------------------------------------------
 */

json_t *concurrency_to_json(const struct concurrency *c)
{
    json_t *object = json_object();

    set_text(object, "group", c->group);
    json_object_set_new(object, "cancel-in-progress",
                        json_boolean(c->cancel_in_progress));
    if (c->queue)
        json_object_set_new(object, "queue", json_integer(c->queue));
    return object;
}

/* Every sibling is one that is included: there is no product any more. */
static json_t *matrix_json(const struct matrix *matrix)
{
    json_t *object = json_object();
    json_t *rows = json_array();

    for (size_t i = 0; i < matrix->count; i++)
        json_array_append_new(rows, env_json(&matrix->rows[i]));
    json_object_set_new(object, "include", rows);
    json_object_set_new(object, "fail-fast", json_boolean(matrix->fail_fast));
    if (matrix->max_parallel)
        json_object_set_new(object, "max-parallel",
                            json_integer(matrix->max_parallel));
    return object;
}

static void set_queueing(json_t *object, const struct document *document,
                         const struct document_job *job)
{
    json_t *labels = json_array(), *needs = json_array();

    for (size_t i = 0; i < job->labels.count; i++)
        json_array_append_new(labels, json_string(job->labels.items[i]));
    for (size_t i = 0; i < job->need_count; i++)
        json_array_append_new(needs,
                              json_string(document->jobs[job->needs[i]].name));
    json_object_set_new(object, "labels", labels);
    if (document->has_jobs)
        json_object_set(object, "needs", needs);
    json_decref(needs);
    set_text(object, "if", job->condition);
    if (job->matrix.count)
        json_object_set_new(object, "matrix", matrix_json(&job->matrix));
}

json_t *document_to_json(const struct document *document)
{
    json_t *object = json_object();
    json_t *jobs;

    set_text(object, "name", document->name);
    set_text(object, "description", document->description);
    if (document->concurrency.group)
        json_object_set_new(object, "concurrency",
                            concurrency_to_json(&document->concurrency));
    if (!document->has_jobs) {
        set_queueing(object, document, &document->jobs[0]);
        set_job(object, document->jobs[0].pipeline);
        return object;
    }
    jobs = json_object();
    for (size_t i = 0; i < document->job_count; i++) {
        const struct document_job *job = &document->jobs[i];
        json_t *one = json_object();

        set_queueing(one, document, job);
        set_job(one, job->pipeline);
        json_object_set_new(jobs, job->name, one);
    }
    json_object_set_new(object, "jobs", jobs);
    return object;
}
