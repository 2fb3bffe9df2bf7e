/* cli/ps.c - berth ps: the jobs of the queue. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/job_text.h"
#include "cli/list.h"
#include "scheduler/queue/inspect.h"

#include <string.h>

struct ps_options {
    struct pool_options pool;
    bool all;
    const char *state;
    const char *limit;
};

static const struct option_def option_defs[] = {
    {.name = "all",
     .letter = 'a',
     .help = "those that ended lately, too",
     .type = OPTION_FLAG,
     .offset = offsetof(struct ps_options, all)},
    {.name = "state",
     .argument = "STATE",
     .help = "only running, ready, delayed, blocked, passed,\nfailed, "
             "cancelled or skipped ones",
     .type = OPTION_STRING,
     .offset = offsetof(struct ps_options, state)},
    LIST_LIMIT_DEF(struct ps_options, limit),
    POOL_OPTION_DEFS(struct ps_options, pool),
};

const struct command command_ps = {
    .name = "ps",
    .operands = "",
    .summary = "List the jobs that run and those that wait.",
    .details = "First what runs, then what waits; the jobs of a run stand "
               "below it. The age is\nsince the job started, was submitted, or "
               "ended.\n\n"
               "--json: {\"now_ms\", \"jobs\": […]}; see "
               "docs/cli.md.\n\n" POOL_EXIT_HELP,
    .options = option_defs,
    .option_count = ARRAY_LEN(option_defs),
    .max_operands = 0,
    .main = cmd_ps,
};

/* Where jobs of a state are listed. */
static const struct {
    const char *state;
    const char *list;
} lists[] = {
    {"running", "running"}, {"ready", "ready"},  {"delayed", "delayed"},
    {"blocked", "blocked"}, {"passed", "done"},  {"failed", "done"},
    {"cancelled", "done"},  {"skipped", "done"},
};

static const char *list_of(const char *state)
{
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (strcmp(state, lists[i].state) == 0)
            return lists[i].list;
    return NULL;
}

static int check(const void *options, const struct strv *operands UNUSED,
                 struct err *err)
{
    const struct ps_options *o = options;
    unsigned limit;

    if (o->state && !list_of(o->state))
        return err_set(err, ERR_USER,
                       "'%.80s' is no state of a job: running, ready, delayed, "
                       "blocked, passed, failed, cancelled or skipped",
                       o->state);
    if (o->state && o->all)
        return err_set(err, ERR_USER, "--state and --all exclude each other");
    return pool_limit(o->limit, LIST_LIMIT, &limit, err);
}

/* What has been read, up to `limit` jobs of it. */
struct listing {
    const struct pool *pool;
    json_t *jobs; /* owned */
    int64_t now_ms;
    unsigned limit;
};

static bool is_listed(const struct listing *listing, const char *id)
{
    const json_t *row;
    size_t i;

    json_array_foreach(listing->jobs, i, row)
    {
        if (strcmp(job_string(row, "id"), id) == 0)
            return true;
    }
    return false;
}

static void add(struct listing *listing, json_t *row)
{
    if (json_array_size(listing->jobs) < listing->limit)
        json_array_append(listing->jobs, row);
}

/* A job of a run stands below it, if it stands anywhere. */
static int add_children(struct listing *listing, const char *run,
                        struct err *err)
{
    json_t *rows = NULL;
    json_t *row;
    size_t i;

    if (json_array_size(listing->jobs) >= listing->limit)
        return 0;
    if (queue_children(listing->pool->queue, run, &rows, err) < 0)
        return -1;
    json_array_foreach(json_object_get(rows, "jobs"), i, row)
    {
        json_object_set_new(row, "parent", json_string(run));
        add(listing, row);
    }
    json_decref(rows);
    return 0;
}

static int add_list(struct listing *listing, const char *list,
                    const char *state, struct err *err)
{
    json_t *rows = NULL;
    json_t *row;
    size_t i;
    int rc = 0;

    /* Of ended ones a state must be looked for. */
    if (queue_list(listing->pool->queue, list,
                   state && queue_has_ended(state) ? QUEUE_MAX_ROWS
                                                   : listing->limit,
                   &rows, err) < 0)
        return -1;
    listing->now_ms = job_number(rows, "now_ms");
    json_array_foreach(json_object_get(rows, "jobs"), i, row)
    {
        const char *id = job_string(row, "id");

        if ((state && strcmp(job_string(row, "state"), state) != 0) ||
            is_listed(listing, id) || (!state && *job_string(row, "parent")))
            continue;
        add(listing, row);
        if (!state && strcmp(job_string(row, "kind"), "run") == 0)
            rc = add_children(listing, id, err);
        if (rc < 0)
            break;
    }
    json_decref(rows);
    return rc;
}

static int read_jobs(struct listing *listing, const struct ps_options *o,
                     struct err *err)
{
    static const char *const active[] = {"running", "ready", "delayed",
                                         "blocked"};

    if (o->state)
        return add_list(listing, list_of(o->state), o->state, err);
    for (size_t i = 0; i < ARRAY_LEN(active); i++)
        if (add_list(listing, active[i], NULL, err) < 0)
            return -1;
    return o->all ? add_list(listing, "done", NULL, err) : 0;
}

static int print_jobs(const struct listing *listing, struct err *err)
{
    const struct pool *pool = listing->pool;
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(table) struct table *table = job_table_new();
    const json_t *row;
    size_t i;

    json_array_foreach(listing->jobs, i, row)
        job_table_add(table, row, listing->now_ms,
                      is_listed(listing, job_string(row, "parent")));
    if (i)
        table_add(table, &pool->style, pool->columns, &text);
    else
        strbuf_adds(&text, "there are no such jobs\n");
    if (i == listing->limit)
        strbuf_adds(&text, "there may be more: see --limit\n");
    return pool_print(&text, err);
}

static int ps(struct pool *pool, const void *options,
              const struct strv *operands UNUSED, struct err *err)
{
    const struct ps_options *o = options;
    struct listing listing = {.pool = pool, .jobs = json_array()};
    int rc = pool_limit(o->limit, LIST_LIMIT, &listing.limit, err);

    if (rc == 0)
        rc = read_jobs(&listing, o, err);
    if (rc == 0 && pool->json)
        rc = pool_print_json(json_pack("{s:I, s:O}", "now_ms",
                                       (json_int_t)listing.now_ms, "jobs",
                                       listing.jobs),
                             err);
    else if (rc == 0)
        rc = print_jobs(&listing, err);
    json_decref(listing.jobs);
    return rc;
}

int cmd_ps(int argc, char **argv)
{
    struct ps_options options = {0};
    const struct pool_call call = {.command = &command_ps,
                                   .options = &options.pool,
                                   .check = check,
                                   .fn = ps};

    return pool_main(&call, argc, argv);
}
