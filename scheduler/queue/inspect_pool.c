/* scheduler/queue/inspect_pool.c - how a pool is, and why a job waits. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/impl.h"
#include "scheduler/queue/inspect.h"
#include "scheduler/queue/reply_json.h"

#include <string.h>

#define MAX_COMPLAINTS 1000

/* ---- why a job waits -------------------------------------------------------
 */

/* What stands behind a cause, in why.lua's order. */
struct detail {
    const char *name;
    bool is_number;
};
static const struct cause {
    const char *word;
    bool nested; /* the details are an object of their own */
    struct detail details[3];
} causes[] = {
    {"until", false, {{"until_ms", true}}},
    {"infra", false, {{"infra_failures", true}, {"infra_retries", true}}},
    {"job", false, {{"job_failures", true}, {"job_retries", true}}},
    {"group", false, {{"group", false}, {"held_by", false}, {"before", true}}},
    {"workers", false, {{"workers", true}}},
    {"slots", false, {{"running", true}, {"max_instances", true}}},
    {"tenant", true, {{"name", false}, {"running", true}, {"cap", true}}},
    {"pipeline", true, {{"name", false}, {"running", true}, {"cap", true}}},
    {"line", false, {{"before", true}, {"lanes_before", true}}},
};

static const struct cause *find_cause(const char *word)
{
    for (size_t i = 0; word && i < ARRAY_LEN(causes); i++)
        if (strcmp(word, causes[i].word) == 0)
            return &causes[i];
    return NULL;
}

/* The cause that begins at `at`; returns where the next one does. */
static size_t read_cause(const redisReply *reply, size_t at,
                         const struct cause *cause, json_t *why)
{
    json_t *details = cause->nested ? json_object() : json_incref(why);

    at++;
    for (size_t i = 0; i < 3 && cause->details[i].name; i++, at++)
        json_object_set_new(details, cause->details[i].name,
                            cause->details[i].is_number
                                ? json_of_number(reply, at)
                                : json_of_text(reply, at));
    if (cause->nested) {
        CLEANUP(mem) char *name = xasprintf("%s_cap", cause->word);

        json_object_set(why, name, details);
    }
    json_decref(details);
    return at;
}

int queue_why(struct queue *queue, const char *id, json_t **out_why,
              struct err *err)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    const struct cause *cause;
    redisReply *reply = NULL;
    json_t *why;

    if (queue_check_id(id, err) < 0)
        return -1;
    queue_args_str(&args, id);
    queue_args_num(&args, queue->options.lease_ms);
    if (queue_run(queue, SCRIPT_WHY, &args, &reply, err) < 0)
        return err_wrap(err, "cannot tell why job %s waits", id);
    why = json_object();
    json_object_set_new(why, "state", json_of_text(reply, 0));
    for (size_t at = 1; (cause = find_cause(queue_reply_str(reply, at)));)
        at = read_cause(reply, at, cause, why);
    freeReplyObject(reply);
    if (strcmp(json_string_value(json_object_get(why, "state")), "none") == 0) {
        json_decref(why);
        return err_set(err, ERR_USER, "there is no job '%s'", id);
    }
    *out_why = why;
    return 0;
}

/* ---- the pool --------------------------------------------------------------
 */

static json_t *read_workers(const redisReply *reply)
{
    json_t *workers = json_array();

    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *row = reply->element[i];
        json_t *worker = json_object();

        if (row->type == REDIS_REPLY_ARRAY && row->elements == 2 &&
            row->element[1]->type == REDIS_REPLY_ARRAY)
            json_add_facts(worker, row->element[1], 0);
        json_object_set_new(worker, "name", json_of_text(row, 0));
        json_array_append_new(workers, worker);
    }
    return workers;
}

int queue_depths(struct queue *queue, json_t **out_depths, struct err *err)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    redisReply *reply = NULL;
    json_t *depths;

    if (queue_run(queue, SCRIPT_DEPTHS, &args, &reply, err) < 0)
        return err_wrap(err, "cannot read how full the pool '%s' is",
                        queue_pool(queue));
    depths = json_object();
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2) {
        const redisReply *numbers = reply->element[0];

        for (size_t i = 0; i + 1 < numbers->elements; i += 2)
            json_object_set_new(depths, queue_reply_str(numbers, i),
                                json_of_number(numbers, i + 1));
        json_object_set_new(depths, "workers", read_workers(reply->element[1]));
    }
    freeReplyObject(reply);
    *out_depths = depths;
    return 0;
}

int queue_worker(struct queue *queue, const char *name, json_t **out_worker,
                 struct err *err)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    redisReply *reply = NULL;
    json_t *worker;

    queue_args_str(&args, name);
    if (queue_run(queue, SCRIPT_WORKER, &args, &reply, err) < 0)
        return err_wrap(err, "cannot read worker %s", name);
    if (reply->elements <= 2) {
        freeReplyObject(reply);
        return err_set(err, ERR_USER, "there is no worker '%s'", name);
    }
    worker = json_object();
    json_add_facts(worker, reply, 2);
    json_object_set_new(worker, "name", json_of_bytes(name, strlen(name)));
    json_object_set_new(worker, "now_ms", json_of_number(reply, 0));
    json_object_set_new(worker, "leases", json_of_number(reply, 1));
    freeReplyObject(reply);
    *out_worker = worker;
    return 0;
}

int queue_audit(struct queue *queue, json_t **out_complaints, struct err *err)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    redisReply *reply = NULL;

    queue_args_num(&args, MAX_COMPLAINTS);
    if (queue_run(queue, SCRIPT_AUDIT, &args, &reply, err) < 0)
        return err_wrap(err, "cannot look the pool '%s' over",
                        queue_pool(queue));
    *out_complaints = json_array();
    for (size_t i = 0; i < reply->elements; i++)
        json_array_append_new(*out_complaints, json_of_text(reply, i));
    freeReplyObject(reply);
    return 0;
}

/* ---- rejected documents ----------------------------------------------------
 */

static json_t *read_rejected(const redisReply *row)
{
    json_t *object = json_object();

    json_object_set_new(object, "id", json_of_text(row, 0));
    json_object_set_new(object, "reason", json_of_text(row, 1));
    json_object_set_new(object, "rejected_at_ms", json_of_number(row, 2));
    json_object_set_new(object, "scheduler", json_of_text(row, 3));
    json_object_set_new(object, "bytes", json_of_number(row, 4));
    if (row->elements > 5)
        json_object_set_new(object, "document", json_of_text(row, 5));
    return object;
}

int queue_rejected(struct queue *queue, const char *id, unsigned limit,
                   json_t **out_rows, struct err *err)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    redisReply *reply = NULL;

    if (id && queue_check_id(id, err) < 0)
        return -1;
    queue_args_opt(&args, id);
    queue_args_num(&args,
                   limit && limit < QUEUE_MAX_ROWS ? limit : QUEUE_MAX_ROWS);
    if (queue_run(queue, SCRIPT_REJECTED, &args, &reply, err) < 0)
        return err_wrap(err, "cannot read the rejected documents");
    if (id && !reply->elements) {
        freeReplyObject(reply);
        return err_set(err, ERR_USER, "there is no rejected document '%s'", id);
    }
    *out_rows = json_array();
    for (size_t i = 0; i < reply->elements; i++)
        json_array_append_new(*out_rows, read_rejected(reply->element[i]));
    freeReplyObject(reply);
    return 0;
}
