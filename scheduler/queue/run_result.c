/* scheduler/queue/run_result.c - what a run came to. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/run_result.h"

#include "base/strbuf.h"
#include "pipelines/reason.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_MESSAGE 2048
#define MAX_NAMED   8 /* jobs in a message */

static const char *state_of(const struct run_row *row)
{
    return *row->state ? row->state : "skipped";
}

static json_t *text_or_null(const char *text)
{
    return text && *text ? json_string(text) : json_null();
}

static json_t *moment_or_null(int64_t at_ms)
{
    return at_ms ? json_integer(at_ms) : json_null();
}

/* ---- the verdict -----------------------------------------------------------
 */

static bool all_passed(const struct run_ended *e)
{
    for (size_t i = 0; i < e->plan->job_count; i++)
        if (strcmp(state_of(&e->rows[i]), "passed") != 0)
            return false;
    return true;
}

static const char *first_reason(const struct run_ended *e)
{
    for (size_t i = 0; i < e->plan->job_count; i++)
        if (!strcmp(e->rows[i].state, "failed") && *e->rows[i].reason)
            return e->rows[i].reason;
    return reason_name(REASON_STEP_FAILED);
}

static void judge(const struct run_ended *e, struct run_result *out)
{
    const char *reason = "";

    if (e->outcome == PLAN_FAILURE) {
        out->state = "failed";
        reason = first_reason(e);
    } else if (e->outcome == PLAN_CANCELLED || (*e->cancel && !all_passed(e))) {
        out->state = "cancelled";
        reason = *e->cancel ? e->cancel : reason_name(REASON_CANCELLED);
    } else {
        out->state = e->outcome == PLAN_SKIPPED ? "skipped" : "passed";
    }
    (void)snprintf(out->reason, sizeof(out->reason), "%s", reason);
}

/* Its id belonged to another job, so it was never put in (advance.lua). */
static bool was_in_the_way(const struct run_row *row)
{
    return !strcmp(row->state, "failed") && !*row->reason && !row->ended_at_ms;
}

/* Which jobs it was, in words. */
static json_t *message_of(const struct run_ended *e,
                          const struct run_result *result)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(MAX_MESSAGE - 120);
    CLEANUP(mem) char *taken = NULL;
    size_t named = 0, count = 0;

    if (!*result->reason)
        return json_null();
    for (size_t i = 0; i < e->plan->job_count; i++) {
        if (strcmp(e->rows[i].state, result->state) != 0)
            continue;
        if (!taken && was_in_the_way(&e->rows[i]))
            taken = xasprintf("; the id %s-%zu is another job's", e->id, i + 1);
        if (++count <= MAX_NAMED && ++named)
            strbuf_addf(&text, "%s%s", named > 1 ? ", " : "",
                        e->plan->jobs[i].name);
    }
    if (!count)
        return json_string("it was cancelled before any job ended");
    if (count > named)
        strbuf_addf(&text, " and %zu more", count - named);
    return json_sprintf("%zu of %zu jobs %s %s: %s%s", count,
                        e->plan->job_count,
                        strcmp(result->state, "failed") ? "were" : "have",
                        result->state, text.data, taken ? taken : "");
}

/* ---- the document ----------------------------------------------------------
 */

static json_t *job_json(const struct run_ended *e, size_t i)
{
    const struct run_row *row = &e->rows[i];
    int64_t duration = row->started_at_ms && row->ended_at_ms
                           ? row->ended_at_ms - row->started_at_ms
                           : 0;

    return json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:I}", "id",
                     json_sprintf("%s-%zu", e->id, i + 1), "name",
                     e->plan->jobs[i].name, "state", state_of(row), "reason",
                     text_or_null(row->reason), "started_at_ms",
                     moment_or_null(row->started_at_ms), "ended_at_ms",
                     moment_or_null(row->ended_at_ms), "duration_ms",
                     (json_int_t)(duration > 0 ? duration : 0));
}

static int64_t last_end(const struct run_ended *e)
{
    int64_t last = e->started_at_ms;

    for (size_t i = 0; i < e->plan->job_count; i++)
        if (e->rows[i].ended_at_ms > last)
            last = e->rows[i].ended_at_ms;
    return last;
}

static char *dump(const char *id, json_t *about, json_t *verdict)
{
    json_t *root = json_pack("{s:i}", "schema", 1);
    char *text;

    json_object_set_new(about, "id", json_string(id));
    json_object_set_new(root, "run", about);
    json_object_update(root, verdict);
    text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    json_decref(verdict);
    return text ? text : xstrdup("{}");
}

void run_result_make(const struct run_ended *e, struct run_result *out)
{
    json_t *jobs = json_array();
    int64_t end = last_end(e);

    judge(e, out);
    for (size_t i = 0; i < e->plan->job_count; i++)
        json_array_append_new(jobs, job_json(e, i));
    out->json = dump(
        e->id,
        json_pack("{s:s, s:s, s:s, s:s}", "pipeline", e->plan->document->name,
                  "repo", e->facts->repo ? e->facts->repo : "", "commit",
                  e->facts->commit ? e->facts->commit : "", "branch",
                  e->facts->branch ? e->facts->branch : ""),
        json_pack("{s:s, s:o, s:o, s:I, s:I, s:I, s:o}", "state", out->state,
                  "reason", text_or_null(out->reason), "message",
                  message_of(e, out), "started_at_ms",
                  (json_int_t)e->started_at_ms, "ended_at_ms", (json_int_t)end,
                  "duration_ms", (json_int_t)(end - e->started_at_ms), "jobs",
                  jobs));
}

void run_result_invalid(const char *id, const char *message,
                        int64_t started_at_ms, struct run_result *out)
{
    out->state = "failed";
    (void)snprintf(out->reason, sizeof(out->reason), "%s",
                   reason_name(REASON_PIPELINE_INVALID));
    out->json = dump(
        id,
        json_pack("{s:s, s:s, s:s, s:s}", "pipeline", "", "repo", "", "commit",
                  "", "branch", ""),
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:i, s:[]}", "state", out->state,
                  "reason", out->reason, "message", message, "started_at_ms",
                  (json_int_t)started_at_ms, "ended_at_ms",
                  (json_int_t)started_at_ms, "duration_ms", 0, "jobs"));
}
