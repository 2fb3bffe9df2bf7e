/* cli/drain.c - berth drain and berth resume: whether a worker takes jobs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/job_text.h"
#include "cli/pool.h"
#include "scheduler/queue/control.h"
#include "scheduler/queue/inspect.h"
#include "scheduler/queue/reply_json.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define ASK_AGAIN_MS 500

struct drain_options {
    struct pool_options pool;
    bool wait;
};

static const struct option_def drain_defs[] = {
    {.name = "wait",
     .help = "until it has no job in hand any more",
     .type = OPTION_FLAG,
     .offset = offsetof(struct drain_options, wait)},
    POOL_OPTION_DEFS(struct drain_options, pool),
};

static const struct option_def resume_defs[] = {
    POOL_OPTION_DEFS(struct drain_options, pool),
};

const struct command command_drain = {
    .name = "drain",
    .operands = "WORKER",
    .summary = "Let a worker take no further jobs, until berth resume.",
    .details = "What it has in hand goes on. It stays so over restarts of the "
               "worker.\n\n"
               "--json: {\"worker\", \"drain\": true, \"leases\"}: how many "
               "jobs it has in hand.\n\n" POOL_EXIT_HELP,
    .options = drain_defs,
    .option_count = ARRAY_LEN(drain_defs),
    .min_operands = 1,
    .max_operands = 1,
    .main = cmd_drain,
};

const struct command command_resume = {
    .name = "resume",
    .operands = "WORKER",
    .summary = "Let a drained worker take jobs again.",
    .details =
        "--json: {\"worker\", \"drain\": false, \"leases\"}\n\n" POOL_EXIT_HELP,
    .options = resume_defs,
    .option_count = ARRAY_LEN(resume_defs),
    .min_operands = 1,
    .max_operands = 1,
    .main = cmd_resume,
};

static bool is_alive(const struct pool *pool, const json_t *worker)
{
    return job_number(worker, "now_ms") - job_number(worker, "seen_at_ms") <
           pool->at.settings->lease.duration_ms;
}

/*
 * It knows that it is drained when it was seen after it was told; only then no
 * job is added. A dead one takes none either, and its jobs are taken back.
 */
static int wait_until_idle(const struct pool *pool, const char *name,
                           json_t **worker, struct err *err)
{
    int64_t told_ms = job_number(*worker, "seen_at_ms");
    unsigned attempt = 0;

    while (job_number(*worker, "leases") ||
           (job_number(*worker, "seen_at_ms") == told_ms &&
            is_alive(pool, *worker))) {
        json_t *next = NULL;

        (void)poll(NULL, 0, ASK_AGAIN_MS);
        if (queue_worker(pool->queue, name, &next, err) == 0) {
            json_decref(*worker);
            *worker = next;
            attempt = 0;
        } else if (err->kind == ERR_USER ||
                   pool_back_off(pool, &attempt, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int print_worker(const struct pool *pool, const char *name, bool drain,
                        const json_t *worker, struct err *err)
{
    int64_t leases = job_number(worker, "leases");
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    if (pool->json)
        return pool_print_json(json_pack("{s:o, s:b, s:I}", "worker",
                                         json_of_bytes(name, strlen(name)),
                                         "drain", drain, "leases",
                                         (json_int_t)leases),
                               err);
    strbuf_addf(&text, "%s: %s", name,
                drain ? "takes no further jobs" : "takes jobs");
    if (leases)
        strbuf_addf(&text, "; %" PRId64 " in hand", leases);
    strbuf_addc(&text, '\n');
    return pool_print(&text, err);
}

static int set_drain(const struct pool *pool, const char *name, bool drain,
                     bool wait, struct err *err)
{
    json_t *worker = NULL;
    int rc;

    if (queue_drain(pool->queue, name, drain, err) < 0 ||
        queue_worker(pool->queue, name, &worker, err) < 0)
        return -1;
    if (!is_alive(pool, worker)) {
        char age[FORMAT_SIZE];

        fprintf(stderr, "note: this worker was last seen %s ago\n",
                format_age(job_number(worker, "now_ms") -
                               job_number(worker, "seen_at_ms"),
                           age));
    }
    rc = wait ? wait_until_idle(pool, name, &worker, err) : 0;
    if (rc == 0)
        rc = print_worker(pool, name, drain, worker, err);
    json_decref(worker);
    return rc;
}

static int drain_it(struct pool *pool, const void *options,
                    const struct strv *operands, struct err *err)
{
    const struct drain_options *o = options;

    return set_drain(pool, operands->items[0], true, o->wait, err);
}

static int resume_it(struct pool *pool, const void *options UNUSED,
                     const struct strv *operands, struct err *err)
{
    return set_drain(pool, operands->items[0], false, false, err);
}

int cmd_drain(int argc, char **argv)
{
    struct drain_options options = {0};
    const struct pool_call call = {
        .command = &command_drain, .options = &options.pool, .fn = drain_it};

    return pool_main(&call, argc, argv);
}

int cmd_resume(int argc, char **argv)
{
    struct drain_options options = {0};
    const struct pool_call call = {
        .command = &command_resume, .options = &options.pool, .fn = resume_it};

    return pool_main(&call, argc, argv);
}
