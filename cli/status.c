/* cli/status.c - berth status: everything about one job. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/job_text.h"
#include "cli/pool.h"
#include "cli/report.h"
#include "cli/reports.h"
#include "cli/text.h"
#include "scheduler/queue/inspect.h"
#include "scheduler/queue/report.h"

#include <inttypes.h>
#include <string.h>

#define NAME_COLUMNS 12

struct status_options {
    struct pool_options pool;
};

static const struct option_def option_defs[] = {
    POOL_OPTION_DEFS(struct status_options, pool),
};

const struct command command_status = {
    .name = "status",
    .operands = "ID",
    .summary = "Tell all about a job: its state, why it waits, its steps.",
    .details =
        "--json: what berth ps --json tells of the job, with \"now_ms\", "
        "\"result\"\n(schemas/result.schema.json), \"why\" if it waits, "
        "\"report\" as berth report\n--json has it, and \"jobs\" of a "
        "run.\n\n" POOL_EXIT_HELP,
    .options = option_defs,
    .option_count = ARRAY_LEN(option_defs),
    .min_operands = 1,
    .max_operands = 1,
    .main = cmd_status,
};

/* One job as it was read, and how it is printed. */
struct view {
    const struct pool *pool;
    const json_t *job;
    int64_t now_ms;
    struct strbuf text;
};

/* `text` may be a stranger's. */
static void add_line(struct view *view, const char *name, const char *text)
{
    CLEANUP(strbuf) struct strbuf head = STRBUF_INIT;

    if (!*text)
        return;
    text_add_cell(&head, name, NAME_COLUMNS, false);
    style_add(&view->pool->style, TINT_DIM, head.data, &view->text);
    text_add_clean(&view->text, text);
    strbuf_addc(&view->text, '\n');
}

static void add_moment(struct view *view, const char *name, const char *key)
{
    int64_t ms = job_number(view->job, key);
    char moment[FORMAT_SIZE], age[FORMAT_SIZE];
    CLEANUP(strbuf) struct strbuf line = STRBUF_INIT;

    if (!ms)
        return;
    strbuf_addf(
        &line, ms > view->now_ms ? "%s (in %s)" : "%s (%s ago)",
        format_moment(ms, view->now_ms, moment),
        format_age(ms > view->now_ms ? ms - view->now_ms : view->now_ms - ms,
                   age));
    add_line(view, name, line.data);
}

/* What is there in other words: the pipeline, the repository's short name. */
static bool is_said(const struct view *view, const char *key,
                    const json_t *value)
{
    const char *s = json_string_value(value);

    if (!strcmp(key, "pipeline") || !strcmp(key, "name"))
        return s && !strcmp(s, job_string(view->job, "pipeline"));
    return !strcmp(key, "repo_name") &&
           *job_string(json_object_get(view->job, "about"), "repo");
}

/* What its submitter said of it: repo, branch … in the order it was written. */
static void add_about(struct view *view)
{
    const char *key;
    json_t *value;

    json_object_foreach(json_object_get(view->job, "about"), key, value)
    {
        CLEANUP(strbuf) struct strbuf name = STRBUF_INIT;
        CLEANUP(mem) char *number = NULL;

        if (is_said(view, key, value))
            continue;
        if (json_is_integer(value))
            number =
                xasprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
        text_add_fit(&name, key, strlen(key), NAME_COLUMNS - 1,
                     view->pool->style.ascii);
        if (number)
            add_line(view, name.data, number);
        else if (json_is_string(value))
            add_line(view, name.data, json_string_value(value));
    }
}

static void add_attempts(struct view *view)
{
    int64_t epoch = job_number(view->job, "epoch");
    int64_t infra = job_number(view->job, "infra_failures");
    int64_t own = job_number(view->job, "job_failures");
    CLEANUP(strbuf) struct strbuf line = STRBUF_INIT;

    if (!epoch)
        return;
    strbuf_addf(&line, "%" PRId64, epoch);
    if (infra)
        strbuf_addf(&line, "; failed by the infrastructure: %" PRId64, infra);
    if (own)
        strbuf_addf(&line, "; failed by itself: %" PRId64, own);
    if (json_is_true(json_object_get(view->job, "exhausted")))
        strbuf_adds(&line, "; no more are allowed");
    add_line(view, "attempts", line.data);
}

static void add_head(struct view *view)
{
    const char *state = job_string(view->job, "state");
    int tint = job_state_tint(state);
    CLEANUP(strbuf) struct strbuf words = STRBUF_INIT;

    style_add(&view->pool->style, TINT_BOLD, job_string(view->job, "kind"),
              &view->text);
    strbuf_addf(&view->text, " %s: ", job_string(view->job, "id"));
    job_add_state(view->job, &words);
    if (tint >= 0)
        style_add(&view->pool->style, (enum tint)tint, words.data, &view->text);
    else
        strbuf_adds(&view->text, words.data);
    strbuf_addc(&view->text, '\n');
}

static void add_report(struct view *view, const json_t *look)
{
    CLEANUP(strbuf) struct strbuf line = STRBUF_INIT;

    if (!look)
        return;
    reports_add_where(look, &line);
    strbuf_adds(&line, ": ");
    reports_add_state(look, &line);
    add_line(view, "report", line.data);
}

static void add_facts(struct view *view, const json_t *why)
{
    CLEANUP(strbuf) struct strbuf waits = STRBUF_INIT;

    add_head(view);
    if (why)
        job_add_why(view->job, why, view->now_ms, &waits);
    add_line(view, "waits", waits.data);
    add_line(view, "pipeline", job_string(view->job, "pipeline"));
    add_about(view);
    add_line(view, "priority", job_string(view->job, "priority"));
    add_line(view, "labels", job_string(view->job, "labels"));
    add_line(view, "group", job_string(view->job, "group"));
    add_line(view, "run", job_string(view->job, "parent"));
    add_moment(view, "submitted", "submitted_at_ms");
    add_moment(view, "expires", "expires_at_ms");
    add_moment(view, "started", "started_at_ms");
    add_moment(view, "ended", "ended_at_ms");
    add_line(view, "worker", job_string(view->job, "worker"));
    add_attempts(view);
    add_report(view, json_object_get(view->job, "report"));
}

static void add_result(struct view *view)
{
    const json_t *result = json_object_get(view->job, "result");
    const struct report_options options = {
        .style = view->pool->style, .job_id = job_string(view->job, "id")};

    if (!json_object_get(result, "steps")) {
        if (queue_has_ended(job_string(view->job, "state")))
            add_line(view, "why", job_string(result, "message"));
        return; /* it is a run */
    }
    strbuf_addc(&view->text, '\n');
    if (!queue_has_ended(job_string(view->job, "state")))
        strbuf_adds(&view->text, "The attempt before:\n");
    report_add(result, &options, &view->text);
}

static void add_children(struct view *view, const json_t *children)
{
    CLEANUP(table) struct table *table = job_table_new();
    const json_t *row;
    size_t i;

    if (!json_array_size(children))
        return;
    json_array_foreach(children, i, row)
        job_table_add(table, row, view->now_ms, true);
    strbuf_addc(&view->text, '\n');
    table_add(table, &view->pool->style, view->pool->columns, &view->text);
}

static int show(const struct pool *pool, json_t *job, const json_t *why,
                const json_t *children, struct err *err)
{
    struct view view = {.pool = pool,
                        .job = job,
                        .now_ms = job_number(job, "now_ms"),
                        .text = STRBUF_INIT};
    int rc;

    if (pool->json) {
        if (why)
            json_object_set(job, "why", (json_t *)why);
        if (children)
            json_object_set(job, "jobs", (json_t *)children);
        return pool_print_json(json_incref(job), err);
    }
    add_facts(&view, why);
    add_result(&view);
    add_children(&view, children);
    rc = pool_print(&view.text, err);
    strbuf_clear(&view.text);
    return rc;
}

static int status(struct pool *pool, const void *options UNUSED,
                  const struct strv *operands, struct err *err)
{
    const char *id = operands->items[0];
    json_t *job = NULL, *why = NULL, *rows = NULL, *look = NULL;
    const char *state;
    int rc = queue_job(pool->queue, id, &job, err);

    if (rc < 0)
        return -1;
    rc = queue_report_look(pool->queue, id, &look, err);
    if (rc == 0 && look)
        json_object_set_new(job, "report", look);
    state = job_string(job, "state");
    if (rc == 0 && !queue_has_ended(state) && strcmp(state, "running") != 0)
        rc = queue_why(pool->queue, id, &why, err);
    if (rc == 0 && strcmp(job_string(job, "kind"), "run") == 0)
        rc = queue_children(pool->queue, id, &rows, err);
    if (rc == 0)
        rc = show(pool, job, why, json_object_get(rows, "jobs"), err);
    json_decref(job);
    json_decref(why);
    json_decref(rows);
    return rc;
}

int cmd_status(int argc, char **argv)
{
    struct status_options options = {0};
    const struct pool_call call = {
        .command = &command_status, .options = &options.pool, .fn = status};

    return pool_main(&call, argc, argv);
}
