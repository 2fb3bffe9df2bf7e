/* cli/pool.c - the pool of jobs that a command is about. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pool.h"

#include "base/log.h"
#include "cli/embedded.h"
#include "cli/table.h"
#include "scheduler/queue/control.h"
#include "scheduler/queue/inspect.h"
#include "scheduler/queue/reply_json.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACK_OFF_MS     250
#define BACK_OFF_MAX_MS 5000

static int open_pool(struct pool *pool, const struct pool_options *options,
                     int *out_status, struct err *err)
{
    struct queue_options queue;

    if (pool_at_find(&pool->at, &options->at, out_status, err) < 0)
        return -1;
    *out_status = OPTIONS_USAGE;
    queue = pool_at_queue(&pool->at);
    return queue_open(NULL, &queue, &pool->queue, err);
}

static int call_it(const struct pool_call *call, const struct strv *operands,
                   int *out_status, struct err *err)
{
    struct pool pool = {.json = call->options->json};
    int rc;

    (void)style_choose(STDOUT_FILENO, &pool.style);
    pool.columns = table_columns(STDOUT_FILENO);
    rc = open_pool(&pool, call->options, out_status, err);
    if (rc == 0) {
        rc = call->fn(&pool, call->options, operands, err);
        *out_status = rc >= 0                 ? rc
                      : err->kind == ERR_USER ? POOL_NOT
                                              : POOL_INFRASTRUCTURE;
    }
    queue_free(pool.queue);
    pool_at_clear(&pool.at);
    return rc;
}

/* Who reads has seen enough: `berth ps | head`. */
static bool is_gone(const struct err *err)
{
    return err->kind == ERR_USER && err->sys == EPIPE;
}

int pool_main(const struct pool_call *call, int argc, char **argv)
{
    CLEANUP(strv) struct strv operands = {0};
    struct err err = {0};
    int status = OPTIONS_USAGE;
    int parsed = options_parse(call->command, argc, argv, call->options,
                               &operands, &err);

    (void)signal(SIGPIPE, SIG_IGN);
    if (parsed == 0 && call->check)
        parsed = call->check(call->options, &operands, &err);
    if (parsed != 0)
        status = options_finish(call->command, parsed, &err);
    else if (call_it(call, &operands, &status, &err) < 0 && !is_gone(&err))
        log_error("%s", err.msg);
    strv_clear(&call->options->at.settings.sets);
    return status;
}

/* ---- printing -------------------------------------------------------------
 */

int pool_print(const struct strbuf *text, struct err *err)
{
    if (fwrite(text->data, 1, text->len, stdout) != text->len || fflush(stdout))
        return err_sys(err, ERR_USER, "cannot write to standard output");
    return 0;
}

int pool_print_json(json_t *json, struct err *err)
{
    int rc = json_dumpf(json, stdout, JSON_INDENT(2));

    json_decref(json);
    if (rc < 0 || putchar('\n') == EOF || fflush(stdout))
        return err_sys(err, ERR_USER, "cannot write to standard output");
    return 0;
}

int pool_back_off(const struct pool *pool, unsigned *attempt, struct err *err)
{
    int wait = BACK_OFF_MS;

    if (pool->at.embedded) {
        CLEANUP(mem) char *url = embedded_find(pool->at.settings->state_dir);

        if (!url)
            return err_set(err, ERR_TRANSIENT,
                           "the berth that ran this Redis has ended");
    }
    if (!*attempt)
        log_warn("%s; trying again", err->msg);
    for (unsigned i = 0; i < *attempt && wait < BACK_OFF_MAX_MS; i++)
        wait *= 2;
    ++*attempt;
    (void)poll(NULL, 0, wait < BACK_OFF_MAX_MS ? wait : BACK_OFF_MAX_MS);
    return 0;
}

int pool_limit(const char *text, unsigned fallback, unsigned *out,
               struct err *err)
{
    char *end = NULL;
    unsigned long limit = text ? strtoul(text, &end, 10) : fallback;

    if (text && (*text < '0' || *text > '9' || *end || !limit ||
                 limit > QUEUE_MAX_ROWS))
        return err_set(err, ERR_USER, "option '--limit' takes 1 to %d",
                       QUEUE_MAX_ROWS);
    *out = (unsigned)limit;
    return 0;
}

/* ---- many jobs -------------------------------------------------------------
 */

int pool_retry(struct pool *pool, const char *id, const char **out_word,
               struct err *err)
{
    if (queue_retry(pool->queue, id, err) < 0)
        return -1;
    *out_word = "queued";
    return 0;
}

static json_t *text_json(const char *text)
{
    return json_of_bytes(text, strlen(text));
}

int pool_each(struct pool *pool, const struct strv *ids, pool_each_fn *fn,
              struct err *err)
{
    json_t *jobs = json_array();
    int status = POOL_OK;

    for (size_t i = 0; i < ids->count; i++) {
        const char *id = ids->items[i];
        const char *word = "";
        int rc = fn(pool, id, &word, err);

        if (rc < 0 && err->kind != ERR_USER) {
            json_decref(jobs);
            return -1;
        }
        if (rc < 0) {
            status = POOL_NOT;
            log_error("%s", err->msg);
        } else if (!pool->json) {
            printf("%s: %s\n", id, word);
        }
        json_array_append_new(jobs,
                              json_pack("{s:o, s:o}", "id", text_json(id),
                                        rc < 0 ? "error" : "result",
                                        text_json(rc < 0 ? err->msg : word)));
    }
    if (!pool->json)
        json_decref(jobs);
    else if (pool_print_json(json_pack("{s:o}", "jobs", jobs), err) < 0)
        return -1;
    return fflush(stdout) ? err_sys(err, ERR_USER, "cannot write") : status;
}
