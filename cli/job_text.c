/* cli/job_text.c - jobs of a queue in words. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/job_text.h"

#include "cli/format.h"
#include "pipelines/reason.h"
#include "scheduler/queue/inspect.h"

#include <inttypes.h>
#include <string.h>

/* As scheduler/daemon has it, and twice that: another host is configured
 * differently. */
#define MIN_SILENT_MS 30000
#define SILENT_TICKS  20

const char *job_string(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));

    return s ? s : "";
}

int64_t job_number(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

/* ---- the state ------------------------------------------------------------
 */

void job_add_state(const json_t *row, struct strbuf *out)
{
    const char *state = job_string(row, "state");
    const char *reason = job_string(row, "reason");

    strbuf_adds(out, state);
    if (strcmp(state, "running") == 0 && *job_string(row, "cancel"))
        strbuf_adds(out, ", to be cancelled");
    else if (strcmp(state, "running") != 0 && *reason &&
             strcmp(state, reason) != 0)
        strbuf_addf(out, ": %s", reason);
}

int job_state_tint(const char *state)
{
    if (queue_has_ended(state))
        return (int)style_outcome_tint(state);
    return strcmp(state, "running") == 0 ? (int)TINT_BOLD : -1;
}

/* ---- the table ------------------------------------------------------------
 */

struct table *job_table_new(void)
{
    static const char *const heads[] = {"id",         "state",  "pipeline",
                                        "repository", "branch", "age",
                                        "worker",     NULL};

    return table_new(heads);
}

static const char *either(const char *first, const char *second)
{
    return *first ? first : second;
}

/* "node 20" of a run's jobs, the pipeline's name of all others. */
static const char *title_of(const json_t *row, const json_t *about)
{
    return either(job_string(about, "name"), job_string(row, "pipeline"));
}

static const char *repo_of(const json_t *row, const json_t *about)
{
    const char *repo =
        either(job_string(about, "repo_name"),
               either(job_string(about, "repo"), job_string(row, "tenant")));

    return strcmp(repo, "none") ? repo : "";
}

static void add_branch(const json_t *about, struct strbuf *out)
{
    const json_t *change = json_object_get(about, "change");

    strbuf_adds(out,
                either(job_string(about, "branch"), job_string(about, "ref")));
    if (json_is_integer(change))
        strbuf_addf(out, "%s#%" JSON_INTEGER_FORMAT, out->len ? " " : "",
                    json_integer_value(change));
    else if (*job_string(about, "change"))
        strbuf_addf(out, "%s#%s", out->len ? " " : "",
                    job_string(about, "change"));
}

/* Since it is as it is. */
static int64_t since(const json_t *row)
{
    const char *state = job_string(row, "state");
    int64_t started = job_number(row, "started_at_ms");

    if (queue_has_ended(state))
        return job_number(row, "ended_at_ms");
    if (strcmp(state, "running") == 0 && started)
        return started;
    return job_number(row, "submitted_at_ms");
}

void job_table_add(struct table *table, const json_t *row, int64_t now_ms,
                   bool is_child)
{
    const json_t *about = json_object_get(row, "about");
    CLEANUP(strbuf) struct strbuf id = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf state = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf branch = STRBUF_INIT;
    int tint = job_state_tint(job_string(row, "state"));
    bool waits = tint < 0; /* its last worker has nothing to do with it */
    char age[FORMAT_SIZE] = "";

    strbuf_addf(&id, "%s%s", is_child ? "  " : "", job_string(row, "id"));
    job_add_state(row, &state);
    add_branch(about, &branch);
    if (since(row))
        (void)format_age(now_ms - since(row), age);
    table_cell(table, id.data);
    if (tint >= 0)
        table_tinted(table, (enum tint)tint, state.data);
    else
        table_cell(table, state.data);
    table_cell(table, title_of(row, about));
    table_cell(table, is_child ? "" : repo_of(row, about));
    table_cell(table, is_child ? "" : branch.data);
    table_cell(table, age);
    table_cell(table, waits ? "" : job_string(row, "worker"));
    table_end_row(table);
}

/* ---- why it waits ---------------------------------------------------------
 */

static void next_part(struct strbuf *out, size_t start)
{
    if (out->len > start)
        strbuf_adds(out, "; ");
}

static void add_delayed(const json_t *row, const json_t *why, int64_t now_ms,
                        struct strbuf *out)
{
    const char *reason = job_string(row, "reason");
    int found = reason_find(reason);
    bool infra = found > 0 && reason_is_infrastructure((enum reason)found);
    int64_t failures =
        job_number(why, infra ? "infra_failures" : "job_failures");
    int64_t until = job_number(why, "until_ms");
    char moment[FORMAT_SIZE];

    strbuf_addf(out, until > now_ms ? "until %s" : "it is due since %s",
                format_moment(until, now_ms, moment));
    if (*reason && failures)
        strbuf_addf(
            out, " (retry %" PRId64 " of %" PRId64 " after %s)", failures,
            job_number(why, infra ? "infra_retries" : "job_retries"), reason);
}

static void add_blocked(const json_t *why, struct strbuf *out)
{
    int64_t before = job_number(why, "before");

    strbuf_addf(out, "the group %s is held by job %s", job_string(why, "group"),
                job_string(why, "held_by"));
    if (before)
        strbuf_addf(out, "; %" PRId64 " before it", before);
}

static void add_workers(const json_t *row, const json_t *why, size_t start,
                        struct strbuf *out)
{
    const char *labels = job_string(row, "labels");

    if (job_number(why, "workers"))
        return;
    next_part(out, start);
    strbuf_adds(out, "no worker that is alive ");
    if (!*labels)
        strbuf_adds(out, "takes jobs");
    else
        strbuf_addf(out, "and takes jobs has the label%s %s",
                    strchr(labels, ',') ? "s" : "", labels);
}

static void add_instances(const json_t *counts, const char *max,
                          const char *whose, struct strbuf *out, size_t start)
{
    int64_t running = job_number(counts, "running");
    int64_t cap = job_number(counts, max);

    if (!cap || running < cap)
        return;
    next_part(out, start);
    strbuf_addf(out, "%" PRId64 " of %" PRId64 " instances of the %s%s%s %s",
                running, cap, whose, *job_string(counts, "name") ? " " : "",
                job_string(counts, "name"),
                cap == 1 ? "is in use" : "are in use");
}

static void add_line(const json_t *why, struct strbuf *out, size_t start)
{
    int64_t before = job_number(why, "before");
    int64_t lanes = job_number(why, "lanes_before");

    if (before) {
        next_part(out, start);
        strbuf_addf(out, "%" PRId64 " %s before it", before,
                    before == 1 ? "job is" : "jobs are");
    }
    if (lanes) {
        next_part(out, start);
        strbuf_addf(out, "%" PRId64 " other %s before its own", lanes,
                    lanes == 1 ? "line is" : "lines are");
    }
}

static void add_ready(const json_t *row, const json_t *why, struct strbuf *out)
{
    size_t start = out->len;

    add_workers(row, why, start, out);
    add_instances(why, "max_instances", "pool", out, start);
    add_instances(json_object_get(why, "tenant_cap"), "cap", "repository", out,
                  start);
    add_instances(json_object_get(why, "pipeline_cap"), "cap", "pipeline", out,
                  start);
    add_line(why, out, start);
    if (out->len == start)
        strbuf_adds(out, "it is the next that a worker takes");
}

void job_add_why(const json_t *row, const json_t *why, int64_t now_ms,
                 struct strbuf *out)
{
    const char *state = job_string(why, "state");

    if (strcmp(state, "delayed") == 0)
        add_delayed(row, why, now_ms, out);
    else if (strcmp(state, "blocked") == 0)
        add_blocked(why, out);
    else if (strcmp(state, "ready") == 0)
        add_ready(row, why, out);
}

void job_add_no_scheduler(const json_t *depths, int64_t tick_ms,
                          struct strbuf *out)
{
    int64_t seen = job_number(depths, "scheduler_seen_at_ms");
    int64_t ago = job_number(depths, "now_ms") - seen;
    int64_t limit = SILENT_TICKS * tick_ms;
    char age[FORMAT_SIZE];

    if (seen && ago <= (limit > MIN_SILENT_MS ? limit : MIN_SILENT_MS))
        return;
    strbuf_adds(out, "no scheduler has been seen");
    if (seen)
        strbuf_addf(out, " for %s", format_age(ago, age));
    strbuf_adds(out, ": start one (berth scheduler)");
}
