/* cli/rejected.c - berth rejected: documents that could not be admitted. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/job_text.h"
#include "cli/pool.h"
#include "cli/text.h"
#include "scheduler/queue/control.h"
#include "scheduler/queue/inspect.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIMIT 50

struct rejected_options {
    struct pool_options pool;
    const char *forget;
    const char *limit;
};

static const struct option_def option_defs[] = {
    {.name = "delete",
     .argument = "ID",
     .help = "remove this one",
     .type = OPTION_STRING,
     .offset = offsetof(struct rejected_options, forget)},
    {.name = "limit",
     .argument = "N",
     .help = "that many at most (default: 50; up to 1000)",
     .type = OPTION_STRING,
     .offset = offsetof(struct rejected_options, limit)},
    POOL_OPTION_DEFS(struct rejected_options, pool),
};

const struct command command_rejected = {
    .name = "rejected",
    .operands = "[ID]",
    .summary = "List the documents that were wrong, or show one and why.",
    .details = "The newest first. With ID the reason goes to standard error "
               "and the document\nto standard output: as it came, but on a "
               "terminal without control characters.\n\n"
               "--json: {\"rejected\": [{\"id\", \"reason\", "
               "\"rejected_at_ms\", \"scheduler\",\n\"bytes\"}]}; with ID that "
               "one, and its \"document\".\n\n" POOL_EXIT_HELP,
    .options = option_defs,
    .option_count = ARRAY_LEN(option_defs),
    .max_operands = 1,
    .main = cmd_rejected,
};

static int check(const void *options, const struct strv *operands,
                 struct err *err)
{
    const struct rejected_options *o = options;
    unsigned limit;

    if (o->forget && operands->count)
        return err_set(err, ERR_USER, "--delete and ID exclude each other");
    return pool_limit(o->limit, LIMIT, &limit, err);
}

static void add_clean_line(void *arg, const char *line, size_t len)
{
    struct strbuf *out = arg;

    strbuf_add(out, line, len);
    strbuf_addc(out, '\n');
}

/* Line by line, without what would steer a terminal. */
static void add_clean_lines(struct strbuf *out, const json_t *text)
{
    CLEANUP(text_cleaner)
    struct text_cleaner *cleaner = text_cleaner_new(add_clean_line, out);

    text_cleaner_feed(cleaner, json_string_value(text),
                      json_string_length(text));
    text_cleaner_end(cleaner);
}

static int print_one(const json_t *row, struct err *err)
{
    const json_t *document = json_object_get(row, "document");
    CLEANUP(strbuf) struct strbuf reason = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    add_clean_lines(&reason, json_object_get(row, "reason"));
    fprintf(stderr, "rejected: %s", reason.len ? reason.data : "\n");
    if (isatty(STDOUT_FILENO))
        add_clean_lines(&text, document);
    else
        strbuf_add(&text, json_string_value(document),
                   json_string_length(document));
    return pool_print(&text, err);
}

static int print_all(const struct pool *pool, const json_t *rows,
                     int64_t now_ms, struct err *err)
{
    static const char *const heads[] = {"id", "rejected", "bytes", "reason",
                                        NULL};
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(table) struct table *table = table_new(heads);
    const json_t *row;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        char moment[FORMAT_SIZE], size[FORMAT_SIZE];
        const char *all = job_string(row, "reason");
        CLEANUP(mem) char *reason = xstrndup(all, strcspn(all, "\n"));

        table_cell(table, job_string(row, "id"));
        table_cell(table, format_moment(job_number(row, "rejected_at_ms"),
                                        now_ms, moment));
        table_cell(table,
                   format_bytes((uint64_t)job_number(row, "bytes"), size));
        table_cell(table, reason);
        table_end_row(table);
    }
    if (i)
        table_add(table, &pool->style, pool->columns, &text);
    else
        strbuf_adds(&text, "there are none\n");
    return pool_print(&text, err);
}

static int forget(const struct pool *pool, const char *id, struct err *err)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    if (queue_forget_rejected(pool->queue, id, err) < 0)
        return -1;
    if (pool->json)
        return pool_print_json(
            json_pack("{s:s, s:s}", "id", id, "result", "deleted"), err);
    strbuf_addf(&text, "%s: deleted\n", id);
    return pool_print(&text, err);
}

static int rejected(struct pool *pool, const void *options,
                    const struct strv *operands, struct err *err)
{
    const struct rejected_options *o = options;
    const char *id = operands->count ? operands->items[0] : NULL;
    json_t *rows = NULL;
    unsigned limit;
    int rc;

    if (o->forget)
        return forget(pool, o->forget, err);
    if (pool_limit(o->limit, LIMIT, &limit, err) < 0 ||
        queue_rejected(pool->queue, id, limit, &rows, err) < 0)
        return -1;
    if (pool->json && id)
        rc = pool_print_json(json_incref(json_array_get(rows, 0)), err);
    else if (pool->json)
        rc = pool_print_json(json_pack("{s:O}", "rejected", rows), err);
    else if (id)
        rc = print_one(json_array_get(rows, 0), err);
    else
        rc = print_all(pool, rows, clock_wall_ms(), err);
    json_decref(rows);
    return rc;
}

int cmd_rejected(int argc, char **argv)
{
    struct rejected_options options = {0};
    const struct pool_call call = {.command = &command_rejected,
                                   .options = &options.pool,
                                   .check = check,
                                   .fn = rejected};

    return pool_main(&call, argc, argv);
}
