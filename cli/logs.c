/* cli/logs.c - berth logs: what a job printed, also while it does. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/logs.h"

#include "cli/commands.h"
#include "cli/job_text.h"
#include "cli/log_view.h"
#include "scheduler/queue/inspect.h"
#include "scheduler/queue/log.h"
#include "worker/logs/store.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ASK_AGAIN_MS 300
#define MAX_STEP     100

struct logs_options {
    struct pool_options pool;
    bool follow;
    bool timestamps;
    const char *epoch;
    const char *step;
};

static const struct option_def option_defs[] = {
    {.name = "follow",
     .letter = 'f',
     .help = "go on until the job has ended",
     .type = OPTION_FLAG,
     .offset = offsetof(struct logs_options, follow)},
    {.name = "timestamps",
     .letter = 't',
     .help = "when each line came, by the worker's clock",
     .type = OPTION_FLAG,
     .offset = offsetof(struct logs_options, timestamps)},
    {.name = "epoch",
     .argument = "N",
     .help = "of the Nth attempt (default: the last; with -f\nthat and those "
             "that follow)",
     .type = OPTION_STRING,
     .offset = offsetof(struct logs_options, epoch)},
    {.name = "step",
     .argument = "N",
     .help = "only of the Nth step; the first is 1",
     .type = OPTION_STRING,
     .offset = offsetof(struct logs_options, step)},
    POOL_OPTION_DEFS(struct logs_options, pool),
};

const struct command command_logs = {
    .name = "logs",
    .operands = "ID",
    .summary = "Print what a job printed, or follow it while it runs.",
    .details =
        "Of a run: its jobs, one after another. While a job runs, Redis "
        "holds the\nbeginning and the end of its log; of a job that "
        "ended all of it is read where\nthe log store (log.store) is on "
        "this host, or in S3. What is missing is\nnamed at its place. With -f "
        "nothing is lost or repeated when Redis goes "
        "away\nmeanwhile.\n\n--json: a line {\"job\", \"epoch\", \"seq\", "
        "\"at_ms\", "
        "\"step\", \"stream\", \"data\"} an\nentry; \"step\" counts from "
        "0; of a \"gap\" \"gap_bytes\" in place of "
        "\"data\".\n\n" POOL_EXIT_HELP,
    .options = option_defs,
    .option_count = ARRAY_LEN(option_defs),
    .min_operands = 1,
    .max_operands = 1,
    .main = cmd_logs,
};

static int parse_number(const char *name, const char *text, uint64_t max,
                        uint64_t *out, struct err *err)
{
    char *end = NULL;
    unsigned long long n = text ? strtoull(text, &end, 10) : 0;

    if (text && (*text < '0' || *text > '9' || *end || !n || n > max))
        return err_set(err, ERR_USER, "option '--%s' takes 1 to %" PRIu64, name,
                       max);
    *out = n;
    return 0;
}

static int parse(const struct logs_options *o, uint64_t *out_epoch,
                 uint64_t *out_step, struct err *err)
{
    if (parse_number("epoch", o->epoch, INT64_MAX, out_epoch, err) < 0)
        return -1;
    return parse_number("step", o->step, MAX_STEP, out_step, err);
}

static int check(const void *options, const struct strv *operands UNUSED,
                 struct err *err)
{
    uint64_t epoch, step;

    return parse(options, &epoch, &step, err);
}

/* One command under way. */
struct logs {
    struct pool *pool;
    struct log_view *view;   /* owned */
    struct log_store *store; /* owned; NULL: none is on this host */
    bool follow;
    uint64_t epoch;   /* asked for; 0: the last */
    unsigned attempt; /* how often Redis was asked in vain */
    bool reached;     /* Redis answered once: it will again */
};

/* ---- Redis, which may go away ---------------------------------------------
 */

/* After a call that failed: whether to try again. */
static bool again(struct logs *logs, struct err *err)
{
    if (!logs->follow || !logs->reached || err->kind == ERR_USER ||
        err->kind == ERR_BUG)
        return false;
    return pool_back_off(logs->pool, &logs->attempt, err) == 0;
}

static void answered(struct logs *logs)
{
    logs->reached = true;
    logs->attempt = 0;
}

static int read_job(struct logs *logs, const char *id, json_t **out_job,
                    struct err *err)
{
    while (queue_job(logs->pool->queue, id, out_job, err) < 0)
        if (!again(logs, err))
            return -1;
    answered(logs);
    return 0;
}

/* The names of its steps: what it is to do is forgotten when it passed, what it
 * did is not known before. json_decref(); NULL: neither is known. */
static json_t *read_names(struct logs *logs, const json_t *job)
{
    CLEANUP(queue_status) struct queue_status *status = NULL;
    json_t *names = json_object_get(json_object_get(job, "result"), "steps");
    json_t *payload = NULL;

    if (json_array_size(names))
        return json_incref(names);
    if (queue_status(logs->pool->queue, job_string(job, "id"), &status, NULL) <
            0 ||
        !status->payload)
        return NULL;
    payload = json_loads(status->payload, 0, NULL);
    names = json_incref(
        json_object_get(json_object_get(payload, "pipeline"), "steps"));
    json_decref(payload);
    return names;
}

/* ---- one attempt -----------------------------------------------------------
 */

/* As far as it is there and whole: the rest, if any, may be in Redis. */
static void read_store(struct logs *logs, const char *id, uint64_t epoch)
{
    CLEANUP(log_reader) struct log_reader *reader = NULL;
    struct log_entry entry;
    struct err err = {0};

    if (!logs->store)
        return;
    if (log_store_read(logs->store, id, epoch, log_view_resume(logs->view),
                       &reader, &err) < 0) {
        if (err.kind != ERR_USER && logs->store->driver->is_far)
            fprintf(stderr, "note: this is what Redis has: %s\n", err.msg);
        return;
    }
    while (log_reader_next(reader, &entry, NULL) > 0)
        log_view_entry(logs->view, &entry);
}

/* What has come since the last time. */
static int read_more(struct logs *logs, const char *id, uint64_t epoch,
                     bool ended, struct err *err)
{
    uint64_t next_seq = 0;

    if (ended)
        read_store(logs, id, epoch);
    while (queue_log(logs->pool->queue, id, epoch, log_view_resume(logs->view),
                     log_view_entry, logs->view, &next_seq, err) < 0) {
        struct err why = *err;

        if (log_view_flush(logs->view, err) < 0)
            return -1;
        *err = why;
        if (!again(logs, err))
            return -1;
    }
    answered(logs);
    log_view_reached(logs->view, next_seq);
    return log_view_flush(logs->view, err);
}

/* Its state is read before its log: what it printed last is not missed. */
static bool is_over(const json_t *job, uint64_t epoch)
{
    return (uint64_t)job_number(job, "epoch") != epoch ||
           strcmp(job_string(job, "state"), "running") != 0;
}

static int show_attempt(struct logs *logs, const json_t *first, uint64_t epoch,
                        struct err *err)
{
    const char *id = job_string(first, "id");
    json_t *names = read_names(logs, first);
    bool over = is_over(first, epoch);
    int rc;

    log_view_begin(logs->view, id, epoch, names);
    while ((rc = read_more(logs, id, epoch, over, err)) == 0 && !over &&
           logs->follow) {
        json_t *job = NULL;

        (void)poll(NULL, 0, ASK_AGAIN_MS);
        rc = read_job(logs, id, &job, err);
        if (rc < 0)
            break;
        over = is_over(job, epoch);
        json_decref(job);
    }
    log_view_end(logs->view);
    json_decref(names);
    return rc < 0 ? -1 : log_view_flush(logs->view, err);
}

/* ---- one job ---------------------------------------------------------------
 */

/* The attempt to show next; 0: none is there yet. */
static uint64_t next_epoch(const struct logs *logs, const json_t *job,
                           uint64_t shown)
{
    uint64_t last = (uint64_t)job_number(job, "epoch");

    if (!shown)
        return logs->epoch ? logs->epoch : last;
    return shown < last ? shown + 1 : 0;
}

static void say_waits(const struct logs *logs, const json_t *job)
{
    fprintf(stderr, "note: job %s is %s: %s\n", job_string(job, "id"),
            job_string(job, "state"),
            logs->follow ? "waiting for its worker"
                         : "it has printed nothing yet");
}

static int check_epoch(const struct logs *logs, const json_t *job,
                       struct err *err)
{
    int64_t last = job_number(job, "epoch");

    if (logs->epoch <= (uint64_t)last)
        return 0;
    return err_set(err, ERR_USER,
                   "there is no attempt %" PRIu64 " of job %s, but %" PRId64,
                   logs->epoch, job_string(job, "id"), last);
}

/* What has come since `*shown`. 1: there is no more; 0: there may be. */
static int show_next(struct logs *logs, const json_t *job, uint64_t *shown,
                     bool *said, struct err *err)
{
    uint64_t epoch = next_epoch(logs, job, *shown);
    bool ended = queue_has_ended(job_string(job, "state"));

    if (!*shown && check_epoch(logs, job, err) < 0)
        return -1;
    if (epoch) {
        if (*shown)
            log_view_heading(logs->view, "attempt %" PRIu64, epoch);
        *shown = epoch;
        *said = false;
        return show_attempt(logs, job, epoch, err) < 0 ? -1 : !logs->follow;
    }
    if (!ended && !*said)
        say_waits(logs, job);
    *said = true;
    return ended || !logs->follow;
}

static int show_job(struct logs *logs, const char *id, struct err *err)
{
    uint64_t shown = 0;
    bool said = false;

    for (;;) {
        json_t *job = NULL;
        int rc;

        if (read_job(logs, id, &job, err) < 0)
            return -1;
        rc = show_next(logs, job, &shown, &said, err);
        json_decref(job);
        if (rc)
            return rc < 0 ? -1 : 0;
        if (said)
            (void)poll(NULL, 0, ASK_AGAIN_MS);
    }
}

/* ---- a run -----------------------------------------------------------------
 */

static int read_children(struct logs *logs, const char *run, json_t **out_rows,
                         struct err *err)
{
    while (queue_children(logs->pool->queue, run, out_rows, err) < 0)
        if (!again(logs, err))
            return -1;
    answered(logs);
    return 0;
}

/* The first that was begun and not shown yet, which is marked; or NULL. */
static const json_t *next_child(const json_t *rows, json_t *shown)
{
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(rows, "jobs"), i, row)
    {
        const char *id = job_string(row, "id");

        if (!job_number(row, "epoch") || json_object_get(shown, id))
            continue;
        json_object_set_new(shown, id, json_true());
        return row;
    }
    return NULL;
}

static int show_child(struct logs *logs, const json_t *row, struct err *err)
{
    const char *name = job_string(json_object_get(row, "about"), "name");

    log_view_heading(logs->view, "job %s%s%s", job_string(row, "id"),
                     *name ? ": " : "", name);
    return show_job(logs, job_string(row, "id"), err);
}

/* One after another, in their order as far as they were begun. */
static int show_run(struct logs *logs, const char *id, json_t *shown,
                    struct err *err)
{
    bool said = false;

    for (;;) {
        json_t *run = NULL, *rows = NULL;
        const json_t *child;
        bool ended;
        int rc = 0;

        if (read_job(logs, id, &run, err) < 0)
            return -1;
        ended = queue_has_ended(job_string(run, "state"));
        json_decref(run);
        if (read_children(logs, id, &rows, err) < 0)
            return -1;
        child = next_child(rows, shown);
        if (child)
            rc = show_child(logs, child, err);
        json_decref(rows);
        if (!child && !json_object_size(shown) && !said)
            fprintf(stderr, "note: no job of the run %s has %s\n", id,
                    ended ? "been begun" : "begun yet");
        said |= !child;
        if (rc < 0 || (!child && (ended || !logs->follow)))
            return rc;
        if (!child)
            (void)poll(NULL, 0, ASK_AGAIN_MS);
    }
}

/* ---- the command -----------------------------------------------------------
 */

/* Opening a directory makes it: only who writes logs has to. */
static struct log_store *open_store(const struct settings *settings)
{
    CLEANUP(mem) char *address = settings_log_store(settings);
    bool is_dir = *settings->log.store == '/';
    struct log_store *store = NULL;

    if (!address || (is_dir && access(settings->log.store, X_OK) < 0) ||
        settings_export_s3(settings, NULL) < 0 ||
        log_store_open(address, &store, NULL) < 0)
        return NULL;
    return store;
}

static int show(struct logs *logs, const char *id, struct err *err)
{
    json_t *job = NULL;
    json_t *shown;
    bool is_run;
    int rc;

    if (read_job(logs, id, &job, err) < 0)
        return -1;
    is_run = strcmp(job_string(job, "kind"), "run") == 0;
    json_decref(job);
    if (!is_run)
        return show_job(logs, id, err);
    if (logs->epoch)
        return err_set(err, ERR_USER,
                       "'%s' is a run: --epoch is for one of its jobs", id);
    shown = json_object();
    rc = show_run(logs, id, shown, err);
    json_decref(shown);
    return rc;
}

int logs_follow(struct pool *pool, const char *id, struct err *err)
{
    struct logs logs = {.pool = pool, .follow = true};
    const struct log_view_options view = {
        .out = stdout, .style = pool->style, .step = -1};
    int rc;

    logs.view = log_view_new(&view);
    logs.store = open_store(pool->at.settings);
    rc = show(&logs, id, err);
    log_view_free(logs.view);
    log_store_free(logs.store);
    return rc;
}

static int logs_it(struct pool *pool, const void *options,
                   const struct strv *operands, struct err *err)
{
    const struct logs_options *o = options;
    struct logs logs = {.pool = pool, .follow = o->follow};
    struct log_view_options view = {.out = stdout,
                                    .style = pool->style,
                                    .json = pool->json,
                                    .timestamps = o->timestamps};
    uint64_t step;
    int rc;

    if (parse(o, &logs.epoch, &step, err) < 0)
        return -1;
    view.step = (int)step - 1;
    logs.view = log_view_new(&view);
    logs.store = open_store(pool->at.settings);
    rc = show(&logs, operands->items[0], err);
    log_view_free(logs.view);
    log_store_free(logs.store);
    return rc;
}

int cmd_logs(int argc, char **argv)
{
    struct logs_options options = {0};
    const struct pool_call call = {.command = &command_logs,
                                   .options = &options.pool,
                                   .check = check,
                                   .fn = logs_it};

    return pool_main(&call, argc, argv);
}
