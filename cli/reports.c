/* cli/reports.c - berth report: what Git hosts were told of jobs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/reports.h"

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/job_text.h"
#include "cli/list.h"
#include "cli/text.h"
#include "scheduler/queue/inspect.h"
#include "scheduler/queue/report.h"

#include <inttypes.h>
#include <string.h>

#define NAME_COLUMNS 12
#define SHORT_COMMIT 7

struct report_command {
    struct pool_options pool;
    bool again;
    const char *limit;
};

static const struct option_def option_defs[] = {
    {.name = "again",
     .help = "tell the host again, or all that are listed",
     .type = OPTION_FLAG,
     .offset = offsetof(struct report_command, again)},
    LIST_LIMIT_DEF(struct report_command, limit),
    POOL_OPTION_DEFS(struct report_command, pool),
};

const struct command command_report = {
    .name = "report",
    .operands = "[ID]",
    .summary = "Tell what a Git host was told of a job, or list what none was.",
    .details =
        "Without ID, the jobs whose hosts refused, the last first.\n\n"
        "--json: {\"unreported\": [{\"id\", \"refused_at_ms\", \"report\", "
        "\"pipeline\",\n\"state\", \"error\"}]}; with ID an object, see "
        "docs/cli.md; with --again as berth\nretry.\n\n" POOL_EXIT_HELP,
    .options = option_defs,
    .option_count = ARRAY_LEN(option_defs),
    .max_operands = 1,
    .main = cmd_report,
};

static int check(const void *options, const struct strv *operands UNUSED,
                 struct err *err)
{
    unsigned limit;

    return pool_limit(((const struct report_command *)options)->limit,
                      LIST_LIMIT, &limit, err);
}

/* ---- words -----------------------------------------------------------------
 */

static void add_place(const json_t *report, struct strbuf *out)
{
    const json_t *change = json_object_get(report, "change");

    strbuf_addf(out, "%s %s", job_string(report, "forge"),
                job_string(report, "repo"));
    if (json_is_integer(change))
        strbuf_addf(out, " #%" JSON_INTEGER_FORMAT, json_integer_value(change));
    else if (*job_string(report, "change"))
        strbuf_addf(out, " #%s", job_string(report, "change"));
    else if (*job_string(report, "commit"))
        strbuf_addf(out, " %.*s", SHORT_COMMIT, job_string(report, "commit"));
}

void reports_add_where(const json_t *look, struct strbuf *out)
{
    add_place(json_object_get(look, "report"), out);
}

static void add_span(const char *before, int64_t ms, const char *after,
                     struct strbuf *out)
{
    char span[FORMAT_SIZE];

    strbuf_addf(out, "%s%s%s", before, format_age(ms > 0 ? ms : 0, span),
                after);
}

static void add_waiting(const json_t *look, struct strbuf *out)
{
    int64_t now_ms = job_number(look, "now_ms");
    int64_t due_ms = job_number(look, "next_at_ms") - now_ms;
    int64_t paused_ms = job_number(look, "paused_ms");

    strbuf_adds(out, "waits");
    if (paused_ms)
        add_span(": the host wants a pause of ", paused_ms, "", out);
    else if (due_ms > 0)
        add_span(", next try in ", due_ms, "", out);
    if (job_number(look, "tries"))
        strbuf_addf(out, " (%" PRId64 " failed)", job_number(look, "tries"));
}

void reports_add_state(const json_t *look, struct strbuf *out)
{
    const char *state = job_string(look, "state");
    int64_t now_ms = job_number(look, "now_ms");
    const char *error = job_string(look, "error");

    if (!strcmp(state, "told"))
        add_span("told ", now_ms - job_number(look, "told_at_ms"), " ago", out);
    else if (!strcmp(state, "refused"))
        add_span("refused ", now_ms - job_number(look, "refused_at_ms"), " ago",
                 out);
    else if (!strcmp(state, "posting"))
        strbuf_adds(out, "being told");
    else if (!strcmp(state, "waiting"))
        add_waiting(look, out);
    else
        strbuf_adds(out, "never told");
    if (*error)
        strbuf_addf(out, ": %s", error);
}

/* ---- one job ---------------------------------------------------------------
 */

static void add_line(const struct pool *pool, const char *name,
                     const char *text, struct strbuf *out)
{
    CLEANUP(strbuf) struct strbuf head = STRBUF_INIT;

    if (!*text)
        return;
    text_add_cell(&head, name, NAME_COLUMNS, false);
    style_add(&pool->style, TINT_DIM, head.data, out);
    text_add_clean(out, text);
    strbuf_addc(out, '\n');
}

static void add_counts(const json_t *look, struct strbuf *out)
{
    int64_t comments = job_number(look, "comments");
    int64_t resolved = job_number(look, "resolved");

    if (comments || resolved)
        strbuf_addf(out, "%" PRId64 " new, %" PRId64 " resolved", comments,
                    resolved);
}

static int print_one(const struct pool *pool, const char *id,
                     const json_t *look, struct err *err)
{
    const json_t *report = json_object_get(look, "report");
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf where = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf state = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf counts = STRBUF_INIT;

    strbuf_adds(&where, ""); /* never NULL */
    strbuf_adds(&counts, "");
    reports_add_where(look, &where);
    reports_add_state(look, &state);
    add_counts(look, &counts);
    style_add(&pool->style, TINT_BOLD, "job", &text);
    strbuf_addf(&text, " %s: ", id);
    text_add_clean(&text, state.data);
    strbuf_addc(&text, '\n');
    add_line(pool, "host", where.data, &text);
    add_line(pool, "commit", job_string(report, "commit"), &text);
    add_line(pool, "check", job_string(report, "name"), &text);
    add_line(pool, "comments", counts.len ? counts.data : "", &text);
    add_line(pool, "notes", job_string(look, "notes"), &text);
    return pool_print(&text, err);
}

static int show_one(const struct pool *pool, const char *id, struct err *err)
{
    json_t *look = NULL;
    int rc;

    if (queue_report_look(pool->queue, id, &look, err) < 0)
        return -1;
    if (!look)
        return err_set(err, ERR_USER, "job %s is reported to nobody", id);
    if (pool->json) {
        json_object_set_new(look, "id", json_string(id));
        return pool_print_json(look, err);
    }
    rc = print_one(pool, id, look, err);
    json_decref(look);
    return rc;
}

/* ---- what was refused ------------------------------------------------------
 */

static void add_host(const json_t *row, const char *member, struct strbuf *out)
{
    add_place(json_object_get(row, member), out);
}

static const struct list_column columns[] = {
    {"id", "id", NULL},       {"refused", "refused_at_ms", list_moment},
    {"state", "state", NULL}, {"host", "report", add_host},
    {"why", "error", NULL},
};
static const struct list list = {"unreported", columns, ARRAY_LEN(columns)};

static int tell_again(struct pool *pool, const char *id, const char **out_word,
                      struct err *err)
{
    if (queue_report_again(pool->queue, id, err) < 0)
        return -1;
    *out_word = "to be reported";
    return 0;
}

static int again(struct pool *pool, const json_t *rows, const char *id,
                 struct err *err)
{
    CLEANUP(strv) struct strv ids = {0};
    const json_t *row;
    size_t i;

    if (id)
        strv_add(&ids, id);
    json_array_foreach(rows, i, row) strv_add(&ids, job_string(row, "id"));
    return pool_each(pool, &ids, tell_again, err);
}

static int show_all(struct pool *pool, const struct report_command *o,
                    struct err *err)
{
    json_t *rows = NULL;
    unsigned limit;
    int rc;

    if (pool_limit(o->limit, LIST_LIMIT, &limit, err) < 0 ||
        queue_unreported(pool->queue, limit, &rows, err) < 0)
        return -1;
    if (o->again)
        rc = again(pool, rows, NULL, err);
    else
        rc = list_print(pool, &list, rows, err);
    json_decref(rows);
    return rc;
}

static int report(struct pool *pool, const void *options,
                  const struct strv *operands, struct err *err)
{
    const struct report_command *o = options;
    const char *id = operands->count ? operands->items[0] : NULL;

    if (!id)
        return show_all(pool, o, err);
    if (o->again)
        return again(pool, NULL, id, err);
    return show_one(pool, id, err);
}

int cmd_report(int argc, char **argv)
{
    struct report_command options = {0};
    const struct pool_call call = {.command = &command_report,
                                   .options = &options.pool,
                                   .check = check,
                                   .fn = report};

    return pool_main(&call, argc, argv);
}
