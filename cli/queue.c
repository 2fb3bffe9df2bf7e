/* cli/queue.c - berth queue: how full the pool is, and who works for it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/job_text.h"
#include "cli/pool.h"
#include "scheduler/queue/inspect.h"
#include "scheduler/queue/report.h"

#include <inttypes.h>
#include <string.h>

#define LIMIT 10

struct queue_command {
    struct pool_options pool;
    const char *limit;
};

static const struct option_def option_defs[] = {
    {.name = "limit",
     .argument = "N",
     .help = "that many waiting jobs at most (default: 10)",
     .type = OPTION_STRING,
     .offset = offsetof(struct queue_command, limit)},
    POOL_OPTION_DEFS(struct queue_command, pool),
};

const struct command command_queue = {
    .name = "queue",
    .operands = "",
    .summary = "Show how full the queue is, the workers, and why jobs wait.",
    .details = "--json: the numbers, \"workers\", and \"waiting\": jobs, each "
               "with its \"why\";\nsee docs/cli.md.\n\n" POOL_EXIT_HELP,
    .options = option_defs,
    .option_count = ARRAY_LEN(option_defs),
    .max_operands = 0,
    .main = cmd_queue,
};

static int check(const void *options, const struct strv *operands UNUSED,
                 struct err *err)
{
    unsigned limit;

    return pool_limit(((const struct queue_command *)options)->limit, LIMIT,
                      &limit, err);
}

/* ---- reading --------------------------------------------------------------
 */

/* A job that began or went meanwhile waits no more. */
static int add_waiting(struct pool *pool, json_t *row, json_t *waiting,
                       struct err *err)
{
    json_t *why = NULL;
    const char *state;

    if (queue_why(pool->queue, job_string(row, "id"), &why, err) < 0)
        return err->kind == ERR_USER ? 0 : -1;
    state = job_string(why, "state");
    if (strcmp(state, job_string(row, "state")) == 0) {
        json_object_set(row, "why", why);
        json_array_append(waiting, row);
    }
    json_decref(why);
    return 0;
}

static int read_waiting(struct pool *pool, unsigned limit, json_t *waiting,
                        struct err *err)
{
    static const char *const lists[] = {"ready", "delayed", "blocked"};
    int rc = 0;

    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        size_t left = limit - json_array_size(waiting);
        json_t *rows = NULL;
        json_t *row;
        size_t at;

        if (!left)
            break;
        if (queue_list(pool->queue, lists[i], (unsigned)left, &rows, err) < 0)
            return -1;
        json_array_foreach(json_object_get(rows, "jobs"), at, row)
        {
            rc = add_waiting(pool, row, waiting, err);
            if (rc < 0)
                break;
        }
        json_decref(rows);
        if (rc < 0)
            break;
    }
    return rc;
}

/* ---- printing -------------------------------------------------------------
 */

static void add_number(const json_t *depths, const char *key, const char *name,
                       struct strbuf *out)
{
    int64_t number = job_number(depths, key);

    if (number)
        strbuf_addf(out, "  %s %" PRId64, name, number);
}

/* A host told us that we ask too much of it. */
static void add_pauses(const json_t *depths, struct strbuf *out)
{
    for (size_t i = 0; i < QUEUE_REPORT_HOSTS; i++) {
        CLEANUP(mem)
        char *key = xasprintf("%s_paused_ms", queue_report_hosts[i]);
        int64_t ms = job_number(depths, key);
        char span[FORMAT_SIZE];

        if (ms)
            strbuf_addf(out, "%s wants a pause: nothing is reported for %s\n",
                        queue_report_hosts[i], format_age(ms, span));
    }
}

/* What is none is left out, but for what everybody looks for. */
static void add_numbers(const struct pool *pool, const json_t *depths,
                        struct strbuf *out)
{
    static const struct {
        const char *key;
        const char *name;
    } numbers[] = {
        {"ready_urgent", "urgent"},
        {"ready_high", "high"},
        {"ready_normal", "normal"},
        {"ready_low", "low"},
        {"delayed", "delayed"},
        {"blocked", "blocked"},
        {"inbox", "inbox"},
        {"inbox_held", "in admission"},
        {"runs", "runs"},
        {"done", "ended"},
        {"dead", "dead"},
        {"rejected", "rejected"},
        {"outbox", "to be reported"},
        {"unreported", "not reported"},
    };
    int64_t max = job_number(depths, "max_instances");
    int64_t log_bytes = job_number(depths, "log_bytes");
    char size[FORMAT_SIZE];

    style_add(&pool->style, TINT_BOLD, "pool ", out);
    style_add(&pool->style, TINT_BOLD, queue_pool(pool->queue), out);
    strbuf_addf(out, "  running %" PRId64, job_number(depths, "running"));
    if (max)
        strbuf_addf(out, " of %" PRId64, max);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        add_number(depths, numbers[i].key, numbers[i].name, out);
    if (log_bytes)
        strbuf_addf(out, "  logs %s", format_bytes((uint64_t)log_bytes, size));
    strbuf_addc(out, '\n');
    add_pauses(depths, out);
}

/* ",a,b," as "a,b". */
static char *trim_labels(const char *labels)
{
    size_t len;

    labels += strspn(labels, ",");
    len = strlen(labels);
    while (len && labels[len - 1] == ',')
        len--;
    return xstrndup(labels, len);
}

static const char *worker_state(const struct pool *pool, const json_t *worker,
                                int64_t ago_ms)
{
    bool drains = job_number(worker, "drain") ||
                  strcmp(job_string(worker, "state"), "draining") == 0;

    if (ago_ms > pool->at.settings->lease.duration_ms)
        return "lost";
    if (drains)
        return job_number(worker, "running") ? "draining" : "drained";
    if (*job_string(worker, "refuses"))
        return "refuses";
    return "alive";
}

static void add_worker(const struct pool *pool, struct table *table,
                       const json_t *worker, int64_t now_ms)
{
    int64_t ago = now_ms - job_number(worker, "seen_at_ms");
    const char *state = worker_state(pool, worker, ago);
    CLEANUP(mem) char *labels = trim_labels(job_string(worker, "labels"));
    CLEANUP(mem)
    char *load =
        xasprintf("%" PRId64 "/%" PRId64, job_number(worker, "running"),
                  job_number(worker, "capacity"));
    char age[FORMAT_SIZE];

    table_cell(table, job_string(worker, "name"));
    if (strcmp(state, "lost") == 0)
        table_tinted(table, TINT_RED, state);
    else if (strcmp(state, "refuses") == 0)
        table_tinted(table, TINT_YELLOW, state);
    else
        table_cell(table, state);
    table_cell(table, json_object_get(worker, "capacity") ? load : "");
    table_cell(table, labels);
    table_cell(table, format_age(ago, age));
    table_cell(table, job_string(worker, "refuses"));
    table_end_row(table);
}

static void add_workers(const struct pool *pool, const json_t *depths,
                        struct strbuf *out)
{
    static const char *const heads[] = {"worker", "state", "jobs", "labels",
                                        "seen",   "why",   NULL};
    CLEANUP(table) struct table *table = table_new(heads);
    const json_t *worker;
    size_t i;

    json_array_foreach(json_object_get(depths, "workers"), i, worker)
        add_worker(pool, table, worker, job_number(depths, "now_ms"));
    strbuf_addc(out, '\n');
    if (i)
        table_add(table, &pool->style, pool->columns, out);
    else
        strbuf_adds(out, "no worker has been seen: start one (berth worker)\n");
}

static void add_scheduler(const struct pool *pool, const json_t *depths,
                          struct strbuf *out)
{
    size_t start = out->len;

    strbuf_addc(out, '\n');
    job_add_no_scheduler(depths, pool->at.settings->scheduler.tick_ms, out);
    if (out->len > start + 1)
        strbuf_addc(out, '\n');
    else
        strbuf_cut(out, start);
}

static void add_jobs(const struct pool *pool, const json_t *depths,
                     const json_t *waiting, struct strbuf *out)
{
    CLEANUP(table) struct table *table = job_table_new();
    int64_t now_ms = job_number(depths, "now_ms");
    const json_t *row;
    size_t i;

    json_array_foreach(waiting, i, row)
    {
        CLEANUP(strbuf) struct strbuf why = STRBUF_INIT;

        job_add_why(row, json_object_get(row, "why"), now_ms, &why);
        job_table_add(table, row, now_ms, false);
        table_note(table, why.data);
    }
    if (!i)
        return;
    strbuf_addc(out, '\n');
    table_add(table, &pool->style, pool->columns, out);
}

static int print(const struct pool *pool, json_t *depths, json_t *waiting,
                 struct err *err)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    if (pool->json) {
        json_object_set_new(depths, "pool",
                            json_string(queue_pool(pool->queue)));
        json_object_set(depths, "waiting", waiting);
        return pool_print_json(json_incref(depths), err);
    }
    add_numbers(pool, depths, &text);
    add_scheduler(pool, depths, &text);
    add_workers(pool, depths, &text);
    add_jobs(pool, depths, waiting, &text);
    return pool_print(&text, err);
}

static int show(struct pool *pool, const void *options,
                const struct strv *operands UNUSED, struct err *err)
{
    const struct queue_command *o = options;
    json_t *waiting, *depths = NULL;
    unsigned limit;
    int rc;

    if (pool_limit(o->limit, LIMIT, &limit, err) < 0 ||
        queue_depths(pool->queue, &depths, err) < 0)
        return -1;
    waiting = json_array();
    rc = read_waiting(pool, limit, waiting, err);
    if (rc == 0)
        rc = print(pool, depths, waiting, err);
    json_decref(waiting);
    json_decref(depths);
    return rc;
}

int cmd_queue(int argc, char **argv)
{
    struct queue_command options = {0};
    const struct pool_call call = {.command = &command_queue,
                                   .options = &options.pool,
                                   .check = check,
                                   .fn = show};

    return pool_main(&call, argc, argv);
}
