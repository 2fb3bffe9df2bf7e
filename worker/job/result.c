/* worker/job/result.c - what a job came to, step by step. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/result.h"

#include "base/clock.h"
#include "base/strbuf.h"
#include "worker/job/model_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const outcome_names[] = {
    [OUTCOME_PENDING] = "skipped",     [OUTCOME_PASSED] = "passed",
    [OUTCOME_FAILED] = "failed",       [OUTCOME_SKIPPED] = "skipped",
    [OUTCOME_CANCELLED] = "cancelled",
};

const char *outcome_name(enum outcome outcome)
{
    return outcome_names[outcome];
}

struct job_result *job_result_new(const struct job_start *start)
{
    struct job_result *result = xcalloc(1, sizeof(*result));
    const struct pipeline *pipeline = start->pipeline;

    result->steps = xcalloc(pipeline->step_count, sizeof(*result->steps));
    result->step_count = pipeline->step_count;
    for (size_t i = 0; i < result->step_count; i++) {
        result->steps[i].name = xstrdup(pipeline->steps[i].name);
        result->steps[i].exit_code = -1;
        result->steps[i].cpu_ms = -1;
    }
    result->started_at_ms = clock_wall_ms();
    result->started_mono_ms = clock_mono_ms();
    return result;
}

void job_result_free(struct job_result *result)
{
    if (!result)
        return;
    for (size_t i = 0; i < result->step_count; i++) {
        free(result->steps[i].name);
        json_decref(result->steps[i].findings);
        json_decref(result->steps[i].review);
    }
    free(result->steps);
    free(result->branch);
    free(result->subject);
    free(result->unenforced);
    for (size_t i = 0; i < result->artifact_count; i++)
        free(result->artifacts[i].path);
    free(result->artifacts);
    free(result);
}

bool reason_is_cancel(enum reason reason)
{
    return reason == REASON_CANCELLED || reason == REASON_SUPERSEDED;
}

static void set_reason(struct job_result *result, enum reason reason,
                       const char *fmt, va_list ap) PRINTF_LIKE(3, 0);

static void set_reason(struct job_result *result, enum reason reason,
                       const char *fmt, va_list ap)
{
    result->reason = reason;
    (void)vsnprintf(result->message, sizeof(result->message), fmt, ap);
}

void job_result_fail(struct job_result *result, enum reason reason,
                     const char *fmt, ...)
{
    va_list ap;

    if (result->final ||
        (result->reason != REASON_NONE && !reason_is_infrastructure(reason)))
        return;
    va_start(ap, fmt);
    set_reason(result, reason, fmt, ap);
    va_end(ap);
}

void job_result_end(struct job_result *result, enum reason reason,
                    const char *fmt, ...)
{
    va_list ap;

    if (result->final)
        return;
    result->final = true;
    va_start(ap, fmt);
    set_reason(result, reason, fmt, ap);
    va_end(ap);
}

/* ---- artifacts -------------------------------------------------------- */

void job_result_add_artifact(struct job_result *result, size_t index,
                             const char *path, uint64_t size_bytes)
{
    if (result->artifact_count == result->artifact_cap) {
        result->artifact_cap = result->artifact_cap * 2 + 16;
        result->artifacts =
            xreallocarray(result->artifacts, result->artifact_cap,
                          sizeof(*result->artifacts));
    }
    result->artifacts[result->artifact_count++] =
        (struct artifact){index, xstrdup(path), size_bytes};
}

void job_result_drop_artifacts(struct job_result *result, size_t index)
{
    size_t kept = 0;

    for (size_t i = 0; i < result->artifact_count; i++) {
        if (result->artifacts[i].step == index)
            free(result->artifacts[i].path);
        else
            result->artifacts[kept++] = result->artifacts[i];
    }
    result->artifact_count = kept;
}

unsigned job_result_count_artifacts(const struct job_result *result,
                                    size_t index, uint64_t *out_bytes)
{
    unsigned count = 0;

    *out_bytes = 0;
    for (size_t i = 0; i < result->artifact_count; i++) {
        if (index != SIZE_MAX && result->artifacts[i].step != index)
            continue;
        *out_bytes += result->artifacts[i].size_bytes;
        count++;
    }
    return count;
}

/* ---- findings --------------------------------------------------------- */

static size_t json_bytes(const json_t *json)
{
    return json_dumpb(json, NULL, 0, JSON_COMPACT | JSON_REAL_PRECISION(6));
}

static void take_off(size_t *left, size_t used)
{
    *left -= used < *left ? used : *left;
}

void job_result_findings_left(const struct job_result *result, size_t index,
                              size_t *out_count, size_t *out_bytes)
{
    *out_count = RESULT_MAX_FINDINGS;
    *out_bytes = RESULT_MAX_FINDINGS_BYTES;
    for (size_t i = 0; i < result->step_count; i++) {
        const json_t *list =
            json_object_get(result->steps[i].findings, "findings");

        if (i == index || !list)
            continue;
        take_off(out_count, json_array_size(list));
        take_off(out_bytes, json_bytes(list));
    }
}

int job_result_set_findings(struct job_result *result, size_t index,
                            json_t *findings)
{
    struct step_result *step = &result->steps[index];
    const json_t *list = json_object_get(findings, "findings");
    size_t count, bytes, i;
    const json_t *one;

    json_decref(STEAL(step->findings));
    if (!findings)
        return 0;
    job_result_findings_left(result, index, &count, &bytes);
    if (!json_is_array(list) || json_array_size(list) > count ||
        json_bytes(list) > bytes + 2)
        return -1;
    json_array_foreach(list, i, one)
    {
        if (!json_is_object(one))
            return -1;
    }
    step->findings = json_incref(findings);
    return 0;
}

/* ---- JSON ------------------------------------------------------------- */

static json_t *reason_json(enum reason reason)
{
    const char *name = reason_name(reason);

    return name ? json_string(name) : json_null();
}

/* A stranger's bytes, or a text cut within a character, may be no UTF-8. */
static json_t *text_json(const char *s)
{
    CLEANUP(mem) char *ascii = NULL;
    json_t *json = json_string(s);

    if (json)
        return json;
    ascii = xstrdup(s);
    for (char *p = ascii; *p; p++)
        if (*p & 0x80)
            *p = '?';
    return json_string(ascii);
}

static json_t *optional(bool known, int64_t value)
{
    return known ? json_integer(value) : json_null();
}

static void set_usage(json_t *doc, const struct model_usage *usage)
{
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {
        {"requests", usage->requests},
        {"input_tokens", usage->input_tokens},
        {"output_tokens", usage->output_tokens},
        {"cached_tokens", usage->cached_tokens},
    };

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        json_object_set_new(doc, fields[i].name,
                            json_integer((json_int_t)fields[i].value));
    json_object_set_new(doc, "usd", json_real((double)usage->micro_usd / 1e6));
    json_object_set_new(doc, "estimated", json_boolean(usage->estimated));
}

/* NULL: the step has none. */
static json_t *step_model_json(const struct step_result *r,
                               const struct job_start *start, size_t index)
{
    struct model_info info;
    json_t *doc;

    if (model_info(start, index, &info, NULL) < 0)
        return NULL;
    doc = json_object();
    json_object_set_new(doc, "name", json_string(info.name));
    json_object_set_new(doc, "model", text_json(info.id));
    set_usage(doc, &r->model);
    return doc;
}

json_t *step_result_json(const struct job_result *result,
                         const struct job_start *start, size_t index)
{
    const struct step_result *r = &result->steps[index];
    const struct step *step = &start->pipeline->steps[index];
    json_t *doc = json_object();

    json_object_set_new(doc, "index", json_integer((json_int_t)index));
    json_object_set_new(doc, "name", text_json(r->name));
    json_object_set_new(doc, "kind", json_string(step_kind_name(step->kind)));
    json_object_set_new(doc, "outcome", json_string(outcome_name(r->outcome)));
    json_object_set_new(doc, "reason", reason_json(r->reason));
    json_object_set_new(doc, "message",
                        *r->message ? text_json(r->message) : json_null());
    json_object_set_new(doc, "exit_code",
                        optional(r->exit_code >= 0, r->exit_code));
    json_object_set_new(doc, "signal", optional(r->signal > 0, r->signal));
    json_object_set_new(doc, "attempts", json_integer(r->attempts));
    json_object_set_new(doc, "continue_on_error",
                        json_boolean(step->continue_on_error));
    json_object_set_new(doc, "started_at_ms",
                        optional(r->started_at_ms > 0, r->started_at_ms));
    json_object_set_new(doc, "duration_ms", json_integer(r->duration_ms));
    json_object_set_new(doc, "cpu_ms", optional(r->cpu_ms >= 0, r->cpu_ms));
    json_object_set_new(doc, "peak_memory_bytes",
                        optional(r->peak_bytes > 0, (json_int_t)r->peak_bytes));
    json_object_set_new(doc, "output_bytes",
                        json_integer((json_int_t)r->output_bytes));
    (void)json_object_set_new(doc, "model", step_model_json(r, start, index));
    return doc;
}

/* NULL: no step has one. */
static json_t *job_model_json(const struct job_result *result,
                              const struct job_start *start)
{
    struct model_usage sum = {0};
    bool any = false;
    json_t *doc;

    for (size_t i = 0; i < result->step_count; i++) {
        any = any || start->pipeline->steps[i].model.name;
        model_usage_add(&sum, &result->steps[i].model);
    }
    if (!any)
        return NULL;
    doc = json_object();
    set_usage(doc, &sum);
    return doc;
}

static json_t *job_json(const struct job_result *result,
                        const struct job_start *start)
{
    const char *repo = *start->repo_name ? start->repo_name : "";
    const char *branch = result->branch ? result->branch : start->branch;
    json_t *doc = json_object();

    json_object_set_new(doc, "id", json_string(start->job_id));
    json_object_set_new(doc, "epoch", json_integer((json_int_t)start->epoch));
    json_object_set_new(doc, "pipeline", text_json(start->pipeline->name));
    json_object_set_new(doc, "repo", text_json(repo));
    json_object_set_new(doc, "commit", json_string(result->commit));
    json_object_set_new(doc, "branch", text_json(branch));
    return doc;
}

static json_t *usage_json(const struct job_result *result,
                          const struct job_start *start)
{
    const struct sandbox_usage *usage = &result->usage;
    json_t *doc = json_object();

    json_object_set_new(
        doc, "peak_memory_bytes",
        optional(result->has_usage && usage->memory_peak_bytes > 0,
                 (json_int_t)usage->memory_peak_bytes));
    json_object_set_new(
        doc, "cpu_ms",
        optional(result->has_usage && usage->cpu_ms >= 0, usage->cpu_ms));
    json_object_set_new(doc, "oom_kills", json_integer(usage->oom_kills));
    (void)json_object_set_new(doc, "model", job_model_json(result, start));
    return doc;
}

/* "none", "full", or the hosts as they were listed. */
static json_t *network_json(const struct pipeline *pipeline)
{
    CLEANUP(strbuf) struct strbuf hosts = STRBUF_MAX(32768);

    if (pipeline->network != NETWORK_HOSTS)
        return json_string(pipeline->network == NETWORK_FULL ? "full" : "none");
    for (size_t i = 0; i < pipeline->hosts.count; i++)
        strbuf_addf(&hosts, "%s%s", i ? ", " : "", pipeline->hosts.items[i]);
    return json_string(hosts.data);
}

static json_t *sandbox_json(const struct job_result *result,
                            const struct job_start *start, const char *driver)
{
    const struct pipeline *pipeline = start->pipeline;
    json_t *doc = json_object();

    json_object_set_new(doc, "driver", json_string(driver));
    json_object_set_new(doc, "image", text_json(pipeline->image));
    json_object_set_new(doc, "instance_type",
                        json_string(pipeline->instance_type->name));
    json_object_set_new(doc, "network", network_json(pipeline));
    json_object_set_new(
        doc, "unenforced",
        text_json(result->unenforced ? result->unenforced : ""));
    return doc;
}

static json_t *log_json(const struct job_result *result,
                        const struct job_start *start)
{
    json_t *doc = json_object();

    json_object_set_new(doc, "stream", text_json(start->log_stream));
    json_object_set_new(doc, "bytes",
                        json_integer((json_int_t)result->output_bytes));
    json_object_set_new(doc, "dropped_bytes",
                        json_integer((json_int_t)result->dropped_bytes));
    return doc;
}

static int by_path(const void *a, const void *b)
{
    const struct artifact *left = a, *right = b;

    if (left->step != right->step)
        return left->step < right->step ? -1 : 1;
    return strcmp(left->path, right->path);
}

static json_t *artifacts_json(const struct job_result *result)
{
    json_t *files = json_array();
    uint64_t bytes = 0;

    if (result->artifact_count)
        qsort(result->artifacts, result->artifact_count,
              sizeof(*result->artifacts), by_path);
    for (size_t i = 0; i < result->artifact_count; i++) {
        const struct artifact *artifact = &result->artifacts[i];

        bytes += artifact->size_bytes;
        if (i < RESULT_MAX_ARTIFACTS)
            json_array_append_new(files,
                                  json_pack("{s:I, s:o, s:I}", "step",
                                            (json_int_t)artifact->step, "path",
                                            text_json(artifact->path), "bytes",
                                            (json_int_t)artifact->size_bytes));
    }
    return json_pack("{s:I, s:I, s:o}", "count",
                     (json_int_t)result->artifact_count, "bytes",
                     (json_int_t)bytes, "files", files);
}

static const char *state_name(enum reason reason)
{
    if (reason == REASON_NONE)
        return "passed";
    return reason_is_cancel(reason) ? "cancelled" : "failed";
}

json_t *job_result_json(const struct job_result *result,
                        const struct job_start *start, const char *driver)
{
    bool passed = result->reason == REASON_NONE;
    json_t *doc = json_object();
    json_t *steps = json_array();

    for (size_t i = 0; i < result->step_count; i++) {
        json_t *step = step_result_json(result, start, i);

        if (result->steps[i].findings)
            json_object_set(step, "findings", result->steps[i].findings);
        if (result->steps[i].review)
            json_object_set(step, "review", result->steps[i].review);
        json_array_append_new(steps, step);
    }
    json_object_set_new(doc, "schema", json_integer(1));
    json_object_set_new(doc, "job", job_json(result, start));
    json_object_set_new(doc, "state", json_string(state_name(result->reason)));
    json_object_set_new(doc, "reason", reason_json(result->reason));
    json_object_set_new(doc, "message",
                        passed ? json_null() : text_json(result->message));
    json_object_set_new(doc, "started_at_ms",
                        json_integer(result->started_at_ms));
    json_object_set_new(doc, "ended_at_ms", json_integer(clock_wall_ms()));
    json_object_set_new(
        doc, "duration_ms",
        json_integer(clock_mono_ms() - result->started_mono_ms));
    json_object_set_new(doc, "steps", steps);
    json_object_set_new(doc, "usage", usage_json(result, start));
    json_object_set_new(doc, "sandbox", sandbox_json(result, start, driver));
    json_object_set_new(doc, "log", log_json(result, start));
    if (result->artifact_count)
        json_object_set_new(doc, "artifacts", artifacts_json(result));
    return doc;
}
