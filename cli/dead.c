/* cli/dead.c - berth dead: jobs that the infrastructure failed for good. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/job_text.h"
#include "cli/list.h"
#include "scheduler/queue/inspect.h"

struct dead_options {
    struct pool_options pool;
    bool retry_all;
    const char *limit;
};

static const struct option_def option_defs[] = {
    {.name = "retry-all",
     .help = "run all that are listed again, as the same jobs",
     .type = OPTION_FLAG,
     .offset = offsetof(struct dead_options, retry_all)},
    LIST_LIMIT_DEF(struct dead_options, limit),
    POOL_OPTION_DEFS(struct dead_options, pool),
};

const struct command command_dead = {
    .name = "dead",
    .operands = "",
    .summary =
        "List the jobs that used up their attempts by no fault of theirs.",
    .details = "The last to die first. 'berth retry ID' runs one again.\n\n"
               "--json: {\"now_ms\", \"jobs\": […]} as berth ps; with "
               "--retry-all as berth\nretry.\n\n" POOL_EXIT_HELP,
    .options = option_defs,
    .option_count = ARRAY_LEN(option_defs),
    .max_operands = 0,
    .main = cmd_dead,
};

static int check(const void *options, const struct strv *operands UNUSED,
                 struct err *err)
{
    unsigned limit;

    return pool_limit(((const struct dead_options *)options)->limit, LIST_LIMIT,
                      &limit, err);
}

static int retry_all(struct pool *pool, const json_t *jobs, struct err *err)
{
    CLEANUP(strv) struct strv ids = {0};
    const json_t *row;
    size_t i;

    /* One of a run can only be run again with it. */
    json_array_foreach(jobs, i, row)
    {
        if (!*job_string(row, "parent"))
            strv_add(&ids, job_string(row, "id"));
    }
    return pool_each(pool, &ids, pool_retry, err);
}

static int print(const struct pool *pool, const json_t *rows, struct err *err)
{
    CLEANUP(table) struct table *table = job_table_new();
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(rows, "jobs"), i, row)
        job_table_add(table, row, job_number(rows, "now_ms"), false);
    return list_print_table(pool, table, err);
}

static int dead(struct pool *pool, const void *options,
                const struct strv *operands UNUSED, struct err *err)
{
    const struct dead_options *o = options;
    json_t *rows = NULL;
    unsigned limit;
    int rc;

    if (pool_limit(o->limit, LIST_LIMIT, &limit, err) < 0 ||
        queue_list(pool->queue, "dead", limit, &rows, err) < 0)
        return -1;
    if (o->retry_all)
        rc = retry_all(pool, json_object_get(rows, "jobs"), err);
    else if (pool->json)
        rc = pool_print_json(json_incref(rows), err);
    else
        rc = print(pool, rows, err);
    json_decref(rows);
    return rc;
}

int cmd_dead(int argc, char **argv)
{
    struct dead_options options = {0};
    const struct pool_call call = {.command = &command_dead,
                                   .options = &options.pool,
                                   .check = check,
                                   .fn = dead};

    return pool_main(&call, argc, argv);
}
