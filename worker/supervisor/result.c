/* worker/supervisor/result.c - a job's result: checked, or made up. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/result.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void job_verdict_free(struct job_verdict *result)
{
    if (!result)
        return;
    free(result->state);
    json_decref(result->document);
    free(result);
}

static int check_outcome(const char *state, const char *reason, struct err *err)
{
    int found = reason_find(reason);

    if (found < 0)
        return err_set(err, ERR_USER, "the reason '%.40s' is unknown", reason);
    if (strcmp(state, "passed") == 0 && found == REASON_NONE)
        return 0;
    if ((strcmp(state, "failed") == 0 || strcmp(state, "cancelled") == 0) &&
        found != REASON_NONE)
        return 0;
    return err_set(err, ERR_USER, "the state '%.40s' with the reason '%s'",
                   state, reason ? reason : "none");
}

static int check(const json_t *root, const char *job_id, struct err *err)
{
    const json_t *id = json_object_get(json_object_get(root, "job"), "id");
    const json_t *state = json_object_get(root, "state");
    const json_t *reason = json_object_get(root, "reason");

    if (!json_is_object(root) ||
        json_integer_value(json_object_get(root, "schema")) != 1)
        return err_set(err, ERR_USER, "no object of schema 1");
    if (!json_is_string(id) || strcmp(json_string_value(id), job_id) != 0)
        return err_set(err, ERR_USER, "it is of another job");
    if (!json_is_string(state) ||
        (reason && !json_is_null(reason) && !json_is_string(reason)))
        return err_set(err, ERR_USER, "no state or reason");
    return check_outcome(json_string_value(state), json_string_value(reason),
                         err);
}

int job_verdict_read(const char *job_id, const void *data, size_t len,
                     struct job_verdict **out_result, struct err *err)
{
    json_error_t where;
    json_t *root = json_loadb(data, len, JSON_REJECT_DUPLICATES, &where);
    struct job_verdict *result;
    int found;

    if (!root)
        return err_set(err, ERR_USER, "the result is not JSON: %.200s",
                       where.text);
    if (check(root, job_id, err) < 0) {
        json_decref(root);
        return err_wrap(err, "the result is not valid");
    }
    result = xcalloc(1, sizeof(*result));
    result->state = xstrdup(json_string_value(json_object_get(root, "state")));
    found = reason_find(json_string_value(json_object_get(root, "reason")));
    result->reason = reason_name((enum reason)found);
    result->document = root;
    *out_result = result;
    return 0;
}

static const char *text(const json_t *object, const char *key,
                        const char *otherwise)
{
    const char *s = json_string_value(json_object_get(object, key));

    return s ? s : otherwise;
}

static bool is_sha(const char *s)
{
    return strlen(s) == 40 && strspn(s, "0123456789abcdef") == 40;
}

static json_t *make_job(const struct job_verdict_spec *spec)
{
    const json_t *pipeline = json_object_get(spec->start, "pipeline");
    const char *commit = text(spec->start, "commit", "");

    return json_pack("{s:s, s:I, s:s, s:s, s:s, s:s}", "id", spec->job_id,
                     "epoch", (json_int_t)spec->epoch, "pipeline",
                     text(pipeline, "name", ""), "repo",
                     text(spec->start, "repo_name", ""), "commit",
                     is_sha(commit) ? commit : "", "branch", "");
}

static json_t *make_sandbox(const struct job_verdict_spec *spec)
{
    const json_t *sandbox =
        json_object_get(json_object_get(spec->start, "pipeline"), "sandbox");

    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "driver", "", "image",
                     text(sandbox, "image", ""), "instance_type",
                     text(sandbox, "instance_type", ""), "network",
                     text(sandbox, "network", "none"), "unenforced", "");
}

static bool is_cancel(enum reason reason)
{
    return reason == REASON_CANCELLED || reason == REASON_SUPERSEDED;
}

struct job_verdict *job_verdict_make(const struct job_verdict_spec *spec)
{
    struct job_verdict *result = xcalloc(1, sizeof(*result));
    int64_t duration_ms = spec->ended_at_ms - spec->started_at_ms;

    result->state = xstrdup(is_cancel(spec->reason) ? "cancelled" : "failed");
    result->reason = reason_name(spec->reason);
    result->document =
        json_pack("{s:i, s:o, s:s, s:s, s:s, s:I, s:I, s:I, s:[], "
                  "s:{s:n, s:n, s:i}, s:o, s:{s:s, s:i, s:i}}",
                  "schema", 1, "job", make_job(spec), "state", result->state,
                  "reason", result->reason, "message", spec->message,
                  "started_at_ms", (json_int_t)spec->started_at_ms,
                  "ended_at_ms", (json_int_t)spec->ended_at_ms, "duration_ms",
                  (json_int_t)(duration_ms > 0 ? duration_ms : 0), "steps",
                  "usage", "peak_memory_bytes", "cpu_ms", "oom_kills", 0,
                  "sandbox", make_sandbox(spec), "log", "stream", "", "bytes",
                  0, "dropped_bytes", 0);
    if (!result->document)
        abort(); /* out of memory, or a message that is not UTF-8: ours */
    return result;
}

char *job_verdict_write(struct job_verdict *result, const char *log_stream,
                        const char *log_stored, uint64_t lost_bytes)
{
    json_t *log = json_object_get(result->document, "log");
    json_int_t dropped =
        json_integer_value(json_object_get(log, "dropped_bytes"));
    char *json;

    if (json_is_object(log)) {
        (void)json_object_set_new(log, "stream", json_string(log_stream));
        (void)json_object_set_new(
            log, "stored", log_stored ? json_string(log_stored) : json_null());
        (void)json_object_set_new(
            log, "dropped_bytes",
            json_integer(dropped + (json_int_t)lost_bytes));
    }
    json = json_dumps(result->document, JSON_COMPACT | JSON_REAL_PRECISION(6));
    if (!json)
        abort(); /* out of memory: what was parsed can be written */
    return json;
}

static bool is(const json_t *object, const char *key, const char *value)
{
    const char *s = json_string_value(json_object_get(object, key));

    return s && strcmp(s, value) == 0;
}

bool job_step_ran(const void *data, size_t len)
{
    json_t *step = json_loadb(data, len, 0, NULL);
    bool ran =
        (is(step, "outcome", "passed") || is(step, "outcome", "failed")) &&
        !is(step, "kind", "checkout") &&
        !is(step, "reason", reason_name(REASON_SANDBOX_FAILED));

    json_decref(step);
    return ran;
}
