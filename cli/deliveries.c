/* cli/deliveries.c - berth deliveries: what Git hosts sent. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/job_text.h"
#include "cli/list.h"
#include "cli/text.h"
#include "scheduler/queue/delivery.h"

#include <string.h>

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
    LIST_LIMIT_DEF(struct deliveries_options, limit),
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
    return pool_limit(o->limit, LIST_LIMIT, &limit, err);
}

/* ---- for people ------------------------------------------------------------
 */

/* The ids with blanks between. */
static void add_jobs(const json_t *row, const char *member, struct strbuf *out)
{
    const json_t *job;
    size_t i;

    json_array_foreach(json_object_get(row, member), i, job)
        strbuf_addf(out, "%s%s", i ? " " : "", json_string_value(job));
}

static void add_short_key(const json_t *row, const char *member,
                          struct strbuf *out)
{
    strbuf_addf(out, "%.*s", SHORT_KEY, job_string(row, member));
}

static const struct list_column columns[] = {
    {"id", "key", add_short_key}, {"received", "received_at_ms", list_moment},
    {"host", "forge", NULL},      {"event", "event", NULL},
    {"repo", "repo", NULL},       {"state", "state", NULL},
    {"jobs", "jobs", add_jobs},   {"reason", "reason", NULL},
};
static const struct list list = {"deliveries", columns, ARRAY_LEN(columns)};

static void add_member(const json_t *row, const char *name, struct strbuf *out)
{
    const json_t *value = json_object_get(row, name);
    size_t len = strlen(name);

    if (len > 6 && !strcmp(name + len - 6, "_at_ms")) {
        strbuf_addf(out, "%.*s: ", (int)len - 6, name);
        list_moment(row, name, out);
    } else {
        strbuf_addf(out, "%s: ", name);
        if (json_is_array(value))
            add_jobs(row, name, out);
        else if (json_is_integer(value))
            strbuf_addf(out, "%" JSON_INTEGER_FORMAT,
                        json_integer_value(value));
        else
            strbuf_adds(out, job_string(row, name));
    }
    strbuf_addc(out, '\n');
}

static int print_one(const json_t *row, struct err *err)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf clean = STRBUF_INIT;
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)row, name, value)
        add_member(row, name, &text);
    text_add_clean_lines(&clean, text.data, text.len);
    return pool_print(&clean, err);
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
    const char *key = job_string(row, "key");

    if (queue_replay(pool->queue, key, err) < 0)
        return -1;
    return list_print_done(pool, "key", key, SHORT_KEY, "waiting", err);
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
    return print_one(row, err);
}

static int deliveries(struct pool *pool, const void *options,
                      const struct strv *operands, struct err *err)
{
    const struct deliveries_options *o = options;
    const char *id = operands->count ? operands->items[0] : NULL;
    json_t *rows = NULL;
    unsigned limit;
    int rc;

    if (pool_limit(o->limit, LIST_LIMIT, &limit, err) < 0 ||
        queue_deliveries(pool->queue, id, id ? 2 : limit, &rows, err) < 0)
        return -1;
    if (id)
        rc = tell_one(pool, rows, id, o->replay, err);
    else
        rc = list_print(pool, &list, rows, err);
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
