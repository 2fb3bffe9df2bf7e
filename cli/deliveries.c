/* cli/deliveries.c - berth deliveries: what Git hosts sent. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/job_text.h"
#include "cli/pool.h"
#include "cli/text.h"
#include "scheduler/queue/delivery.h"

#include <inttypes.h>
#include <string.h>

#define LIMIT     50
#define SHORT_KEY 12 /* digits that are shown, and enough to name one */

struct deliveries_options {
    struct pool_options pool;
    bool replay;
    const char *limit;
};

static const struct option_def option_defs[] = {
    {.name = "replay",
     .help = "deal with this one again: its jobs are new ones",
     .type = OPTION_FLAG,
     .offset = offsetof(struct deliveries_options, replay)},
    {.name = "limit",
     .argument = "N",
     .help = "that many at most (default: 50; up to 1000)",
     .type = OPTION_STRING,
     .offset = offsetof(struct deliveries_options, limit)},
    POOL_OPTION_DEFS(struct deliveries_options, pool),
};

const struct command command_deliveries = {
    .name = "deliveries",
    .operands = "[ID]",
    .summary = "List what Git hosts sent, and what came of it.",
    .details =
        "The newest first. ID is one's digest, or what only it begins with.\n"
        "What failed, the host may send again, too; --replay does so from\n"
        "what is stored, also of what was done.\n\n"
        "--json: {\"deliveries\": [{\"key\", \"forge\", \"event\", \"repo\", "
        "\"state\",\n\"reason\", \"jobs\", …}]}; with ID that one; with "
        "--replay {\"key\",\n\"result\"}.\n\n" POOL_EXIT_HELP,
    .options = option_defs,
    .option_count = ARRAY_LEN(option_defs),
    .max_operands = 1,
    .main = cmd_deliveries,
};

static int check(const void *options, const struct strv *operands,
                 struct err *err)
{
    const struct deliveries_options *o = options;
    unsigned limit;

    if (o->replay && !operands->count)
        return err_set(err, ERR_USER, "--replay is of one ID");
    if (operands->count && (!*operands->items[0] ||
                            strspn(operands->items[0], "0123456789abcdef") !=
                                strlen(operands->items[0])))
        return err_set(err, ERR_USER, "'%.80s' is no digest",
                       operands->items[0]);
    return pool_limit(o->limit, LIMIT, &limit, err);
}

/* ---- for people ------------------------------------------------------------
 */

/* The ids with blanks between; owned by the caller. */
static char *jobs_of(const json_t *row)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    const json_t *job;
    size_t i;

    json_array_foreach(json_object_get(row, "jobs"), i, job)
        strbuf_addf(&text, "%s%s", i ? " " : "", json_string_value(job));
    return strbuf_take(&text);
}

static int print_all(const struct pool *pool, const json_t *rows,
                     int64_t now_ms, struct err *err)
{
    static const char *const heads[] = {"id",    "received", "host",
                                        "event", "repo",     "state",
                                        "jobs",  "reason",   NULL};
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(table) struct table *table = table_new(heads);
    const json_t *row;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        CLEANUP(mem) char *key = xstrndup(job_string(row, "key"), SHORT_KEY);
        CLEANUP(mem) char *jobs = jobs_of(row);
        char moment[FORMAT_SIZE];

        table_cell(table, key);
        table_cell(table, format_moment(job_number(row, "received_at_ms"),
                                        now_ms, moment));
        table_cell(table, job_string(row, "forge"));
        table_cell(table, job_string(row, "event"));
        table_cell(table, job_string(row, "repo"));
        table_cell(table, job_string(row, "state"));
        table_cell(table, jobs);
        table_cell(table, job_string(row, "reason"));
        table_end_row(table);
    }
    if (i)
        table_add(table, &pool->style, pool->columns, &text);
    else
        strbuf_adds(&text, "there are none\n");
    return pool_print(&text, err);
}

static void add_line(void *arg, const char *line, size_t len)
{
    strbuf_add(arg, line, len);
    strbuf_addc(arg, '\n');
}

static int print_one(const json_t *row, int64_t now_ms, struct err *err)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(text_cleaner)
    struct text_cleaner *cleaner = text_cleaner_new(add_line, &text);
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)row, name, value)
    {
        CLEANUP(mem) char *line = NULL;
        char moment[FORMAT_SIZE];
        size_t len = strlen(name);

        if (json_is_array(value)) {
            CLEANUP(mem) char *jobs = jobs_of(row);

            line = xasprintf("%s: %s\n", name, jobs);
        } else if (len > 6 && !strcmp(name + len - 6, "_at_ms")) {
            line = xasprintf(
                "%.*s: %s\n", (int)len - 6, name,
                format_moment(json_integer_value(value), now_ms, moment));
        } else if (json_is_integer(value)) {
            line = xasprintf("%s: %" PRId64 "\n", name,
                             (int64_t)json_integer_value(value));
        } else {
            line = xasprintf("%s: %s\n", name, json_string_value(value));
        }
        text_cleaner_feed(cleaner, line, strlen(line));
    }
    text_cleaner_end(cleaner);
    return pool_print(&text, err);
}

/* ---- what is asked ---------------------------------------------------------
 */

/* The one that `id` means; borrowed from `rows`. */
static const json_t *only(const json_t *rows, const char *id, struct err *err)
{
    size_t count = json_array_size(rows);

    if (count == 1)
        return json_array_get(rows, 0);
    (void)err_set(err, ERR_USER,
                  count ? "more than one delivery begins with %s"
                        : "there is no delivery %s, or no more",
                  id);
    return NULL;
}

static int replay(const struct pool *pool, const json_t *row, struct err *err)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    const char *key = job_string(row, "key");

    if (queue_replay(pool->queue, key, err) < 0)
        return -1;
    if (pool->json)
        return pool_print_json(
            json_pack("{s:s, s:s}", "key", key, "result", "waiting"), err);
    strbuf_addf(&text, "%.*s: waiting\n", SHORT_KEY, key);
    return pool_print(&text, err);
}

static int tell_one(const struct pool *pool, const json_t *rows, const char *id,
                    bool again, struct err *err)
{
    const json_t *row = only(rows, id, err);

    if (!row)
        return -1;
    if (again)
        return replay(pool, row, err);
    if (pool->json)
        return pool_print_json(json_deep_copy(row), err);
    return print_one(row, clock_wall_ms(), err);
}

static int deliveries(struct pool *pool, const void *options,
                      const struct strv *operands, struct err *err)
{
    const struct deliveries_options *o = options;
    const char *id = operands->count ? operands->items[0] : NULL;
    json_t *rows = NULL;
    unsigned limit;
    int rc;

    if (pool_limit(o->limit, LIMIT, &limit, err) < 0 ||
        queue_deliveries(pool->queue, id, id ? 2 : limit, &rows, err) < 0)
        return -1;
    if (id)
        rc = tell_one(pool, rows, id, o->replay, err);
    else if (pool->json)
        rc = pool_print_json(json_pack("{s:O}", "deliveries", rows), err);
    else
        rc = print_all(pool, rows, clock_wall_ms(), err);
    json_decref(rows);
    return rc;
}

int cmd_deliveries(int argc, char **argv)
{
    struct deliveries_options options = {0};
    const struct pool_call call = {.command = &command_deliveries,
                                   .options = &options.pool,
                                   .check = check,
                                   .fn = deliveries};

    return pool_main(&call, argc, argv);
}
