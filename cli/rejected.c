/* cli/rejected.c - berth rejected: documents that could not be admitted. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/list.h"
#include "cli/text.h"
#include "scheduler/queue/control.h"
#include "scheduler/queue/inspect.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
    LIST_LIMIT_DEF(struct rejected_options, limit),
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

static const struct list_column columns[] = {
    {"id", "id", NULL},
    {"rejected", "rejected_at_ms", list_moment},
    {"bytes", "bytes", list_bytes},
    {"reason", "reason", NULL},
};
static const struct list list = {"rejected", columns, ARRAY_LEN(columns)};

static int check(const void *options, const struct strv *operands,
                 struct err *err)
{
    const struct rejected_options *o = options;
    unsigned limit;

    if (o->forget && operands->count)
        return err_set(err, ERR_USER, "--delete and ID exclude each other");
    return pool_limit(o->limit, LIST_LIMIT, &limit, err);
}

static void add_clean_lines(struct strbuf *out, const json_t *text)
{
    text_add_clean_lines(out, json_string_value(text),
                         json_string_length(text));
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

static int forget(const struct pool *pool, const char *id, struct err *err)
{
    if (queue_forget_rejected(pool->queue, id, err) < 0)
        return -1;
    return list_print_done(pool, "id", id, strlen(id), "deleted", err);
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
    if (pool_limit(o->limit, LIST_LIMIT, &limit, err) < 0 ||
        queue_rejected(pool->queue, id, limit, &rows, err) < 0)
        return -1;
    if (pool->json && id)
        rc = pool_print_json(json_incref(json_array_get(rows, 0)), err);
    else if (id)
        rc = print_one(json_array_get(rows, 0), err);
    else
        rc = list_print(pool, &list, rows, err);
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
